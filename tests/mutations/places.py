"""The files whose mutants are run, in the fewest combinations that have them all."""

from tests.combinations import COMBINATIONS, name

PLACES: dict[str, list[str]] = {
    "introspection-no-caching-no-webhooks": ["app/auth", "app/body_limit.py", "app/health.py"],
    "jwt-no-caching-no-webhooks": ["app/auth/jwt", "app/auth/verifier.py"],
    "introspection-with-caching-with-webhooks": [
        "app/auth/cache",
        "app/auth/revocations.py",
        "app/settings.py",
        "app/webhooks",
    ],
    "sdk-no-caching-with-webhooks": [
        "app/auth/permissions.py",
        "app/auth/principal.py",
        "app/auth/verifier.py",
        "app/webhooks/signature.py",
        "avnology_id",
    ],
}
"""Files and folders, by the name of the combination."""
MUTATED = [combination for combination in COMBINATIONS if name(combination) in PLACES]
