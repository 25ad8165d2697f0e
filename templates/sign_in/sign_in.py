"""A token of a user, as if someone had signed in: `python -m dev.sign_in`."""

import argparse
import sys
from collections.abc import Sequence

from dev.calls import CallFailed, fetch_token
from dev.clients import WRITER
from dev.directory import ANNA
from dev.environment import ADMIN_PORT, PUBLIC_PORT, Endpoints


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the token and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.sign_in", description=__doc__)
    parser.add_argument("--user", default=ANNA, help="the id of a user, known or not")
    parser.add_argument("--public-port", type=int, default=PUBLIC_PORT, help="of the provider")
    options = parser.parse_args(arguments)
    public_url = Endpoints.local(options.public_port, ADMIN_PORT).public
    try:
        print(fetch_token(public_url, WRITER, user=options.user))
    except CallFailed as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
