"""Rotates the signing key of the running provider: `python -m dev.rotate --help`."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from dev.calls import CallFailed, send
from dev.environment import ADMIN_PORT, PUBLIC_PORT, Endpoints
from dev.tokens import ACCESS_TOKENS, ALGORITHMS


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the provider sign with a new key, print the key's name and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.rotate", description=__doc__)
    parser.add_argument("--alg", choices=ALGORITHMS, default="RS256", help="of the new key")
    parser.add_argument("--admin-port", type=int, default=ADMIN_PORT, help="of the provider")
    options = parser.parse_args(arguments)
    try:
        key = rotate(Endpoints.local(PUBLIC_PORT, options.admin_port).admin, options.alg)
    except CallFailed as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"New tokens are signed by {key['kid']}. The old keys stay published.")
    print(f"A service believes them if its JWT_ALGORITHMS names {key['alg']}.")
    return 0


def rotate(admin_url: str, algorithm: str) -> Any:
    """Have a new key made, and return it as the provider shows it. Raises `CallFailed`."""
    headers = [("Content-Type", "application/json")]
    body = json.dumps({"alg": algorithm, "use": "sig"}).encode()
    reply = send("POST", f"{admin_url}/admin/keys/{ACCESS_TOKENS}", headers, body)
    keys = reply.document().get("keys")
    if reply.status != 201 or not isinstance(keys, list):
        raise CallFailed(f"The provider makes no key: status {reply.status}")
    return keys[0]


if __name__ == "__main__":
    sys.exit(main())
