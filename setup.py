"""The compiled twins of the byte path; everything else stands in pyproject.toml.

The extensions are optional: where no C compiler is present the pure Python version is used.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "proxy.wire._framing",
            sources=["proxy/wire/_framing.c"],
            depends=["proxy/wire/walk.h"],
            optional=True,
        ),
        Extension(
            "proxy.session._relay",
            sources=["proxy/session/_relay.c"],
            depends=["proxy/wire/walk.h"],
            optional=True,
        ),
    ]
)
