# syntax=docker/dockerfile:1

# Build: the wheel with everything that can be compiled, and all it depends on, in one virtual environment.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY proxy ./proxy
RUN python -m venv /opt/causeway \
 && /opt/causeway/bin/pip install --no-cache-dir --disable-pip-version-check .
# What is compiled is optional for the build, not for this image. From /, so that the installed package is imported.
RUN cd / && /opt/causeway/bin/python -c "import proxy.wire._framing, proxy.session._relay, proxy.documents._rows; assert proxy.COMPILED"
RUN install -d -o 65532 -g 65532 -m 0750 /var/lib/causeway

# Runtime: no compiler, no pip cache, no root. Nothing in it needs a shell.
FROM python:3.11-slim-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Causeway" \
      org.opencontainers.image.description="A transparent PostgreSQL proxy that moves a live application onto a document database" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11-slim-bookworm"
COPY --from=build /opt/causeway /opt/causeway
COPY --from=build /var/lib/causeway /var/lib/causeway
COPY rules /etc/causeway/rules
ENV PATH=/opt/causeway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Inside a container loopback reaches nobody; who may connect is decided by which ports are published.
ENV CAUSEWAY_LISTEN=0.0.0.0:6432 \
    CAUSEWAY_ADMIN=0.0.0.0:9187 \
    CAUSEWAY_RULES=/etc/causeway/rules \
    CAUSEWAY_SPOOL=/var/lib/causeway \
    CAUSEWAY_LOG_FORMAT=json
# The only path written to at run time, so the root file system can be mounted read-only. (Several workers also want
# a /tmp, for the sockets between them.)
VOLUME /var/lib/causeway
WORKDIR /var/lib/causeway
USER 65532:65532
EXPOSE 6432 9187
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["/opt/causeway/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9187/healthz', timeout=2)"]
ENTRYPOINT ["causeway"]
CMD ["run"]
