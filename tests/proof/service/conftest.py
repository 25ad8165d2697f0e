"""How the property tests run: the same examples at every run.

The first one takes long, as tables of Unicode are built for it.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "service", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("service")
