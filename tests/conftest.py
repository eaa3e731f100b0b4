"""What every test may use: the databases of devstack, started once a session when first asked for."""

from __future__ import annotations

pytest_plugins = ["devstack.fixtures"]
