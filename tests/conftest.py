"""What every test may use: the databases of devstack, started once a session when first asked for."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Shared machines stall: what an example takes says nothing about the code.
settings.register_profile("causeway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("causeway")

pytest_plugins = ["devstack.fixtures"]
