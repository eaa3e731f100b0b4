"""The login roles of the throw-away PostgreSQL: one for each way to authenticate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from devstack.certificates import CLIENT_ROLE

PASSWORD = "secret"
"""Of every `causeway_*` role."""


@dataclass(frozen=True)
class Role:
    """A login role and the line of pg_hba.conf that is its way in."""

    name: str
    method: str
    connection: Literal["host", "hostssl"] = "host"
    password_encryption: Literal["md5", "scram-sha-256"] = "scram-sha-256"


ROLES = (
    Role("causeway_trust", "trust"),
    Role("causeway_password", "password"),
    Role("causeway_md5", "md5", password_encryption="md5"),
    Role("causeway_scram", "scram-sha-256"),
    Role("causeway_ssl", "scram-sha-256", connection="hostssl"),
    Role(CLIENT_ROLE, "cert", connection="hostssl"),
)
"""`causeway_ssl` is let in over TLS only, `causeway_cert` with the client certificate only."""


def roles_script() -> str:
    """SQL for single-user mode that makes the roles, in the format of `devstack.template`."""
    statements = []
    for role in ROLES:
        statements += [
            f"set password_encryption = '{role.password_encryption}'",
            f"create role {role.name} login replication password '{PASSWORD}'",
        ]
    create = "grant create on schema public to public"
    first = ";\n\n".join([*statements, create]) + ";\n\n"
    return f"{first}\\connect template1\n{create};\n"


def pg_hba() -> str:
    """pg_hba.conf: each role by its own method, everybody else without a password."""
    lines = ["# TYPE DATABASE USER ADDRESS METHOD"]
    for role in ROLES:
        if role.connection == "hostssl":
            lines += [
                f"hostssl all,replication {role.name} 127.0.0.1/32 {role.method}",
                f"host    all,replication {role.name} 127.0.0.1/32 reject",
                f"local   all,replication {role.name} reject",
            ]
        else:
            lines += [
                f"local all,replication {role.name} {role.method}",
                f"host  all,replication {role.name} 127.0.0.1/32 {role.method}",
            ]
    lines += ["local all,replication all trust", "host  all,replication all 127.0.0.1/32 trust"]
    return "\n".join(lines) + "\n"
