"""How many inputs the property tests draw: few by default, many with FOLDPROOF_FUZZ=10000."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "foldproof",
    max_examples=int(os.environ.get("FOLDPROOF_FUZZ", "25")),
    derandomize="FOLDPROOF_FUZZ" not in os.environ,  # the quick run always draws the same
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("foldproof")
