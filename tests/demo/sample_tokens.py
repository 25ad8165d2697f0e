"""Tokens that each mode refuses, by the name of the call."""

SAMPLE_TOKENS = {
    "introspection": {"unknown token": "a" * 94, "refresh token": "ory_rt_" + "a" * 87},
    "jwt": {
        "unknown token": "a" * 94,
        "unsigned token": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.",
    },
    "sdk": {"unknown token": "a" * 94, "refresh token": "rt_" + "a" * 64},
}
