"""The local identity provider on the command line: `python -m dev --help`."""

import argparse
import json
import os
import signal
import sys
from typing import NoReturn

from dev.environment import HOST, PROVIDER_PORT, issuer, service_settings
from dev.processes import (
    Failed,
    example_path,
    listen,
    post,
    running_service,
    serving,
    wait_until_up,
)
from dev.provider import Provider
from dev.signing import add_send


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _exit)
    try:
        options.command(options)
    except KeyboardInterrupt:
        return 0
    except Failed as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    everything = argparse.ArgumentParser(prog="python -m dev", description=__doc__)
    commands = everything.add_subparsers(required=True, metavar="command")
    provider = argparse.ArgumentParser(add_help=False)
    provider.add_argument("--provider-port", type=int, default=PROVIDER_PORT)

    command = commands.add_parser("run", parents=[provider], help="start provider and service")
    command.add_argument("--port", type=int, default=8000, help="of the service")
    command.set_defaults(command=run)

    command = commands.add_parser("provider", parents=[provider], help="start the provider alone")
    command.set_defaults(command=serve)

    command = commands.add_parser("token", parents=[provider], help="print a token of the provider")
    command.add_argument("--client", default="writer", help="any client id")
    command.add_argument("--subject", help="any user; without it the token is a machine's")
    command.add_argument("--scope", nargs="*", help="default: the scopes of the client")
    command.add_argument("--lifetime", type=float, default=3600, help="in seconds")
    help_text = "NAME=VALUE, repeatable; the value is JSON, else text"
    command.add_argument("--claim", type=_claim, action="append", default=[], help=help_text)
    command.set_defaults(command=token)

    command = commands.add_parser("rotate", parents=[provider], help="sign with a new key")
    command.set_defaults(command=rotate)

    add_send(commands)
    return everything


def run(options: argparse.Namespace) -> None:
    """Run provider and service until Ctrl-C, and print how to call the service."""
    url = f"http://{HOST}:{options.port}"
    listen(options.port, "--port").close()
    listener = listen(options.provider_port, "--provider-port")
    provider = Provider(issuer(options.provider_port))
    environment = {**os.environ, **service_settings(options.provider_port)}
    with serving(provider, listener), running_service(options.port, environment) as service:
        wait_until_up(service, url + "/health/ready")
        good = provider.issue()
        print(f"\nA token of the client `writer`, valid for an hour:\n\n  {good}\n")
        path = example_path(url, good)
        print(f"  curl -H 'Authorization: Bearer {good}' {url}{path}\n", flush=True)
        service.wait()
    raise Failed("The service ended by itself.")


def serve(options: argparse.Namespace) -> None:
    """Run the provider until Ctrl-C."""
    listener = listen(options.provider_port, "--provider-port")
    with serving(Provider(issuer(options.provider_port)), listener):
        signal.pause()


def rotate(options: argparse.Namespace) -> None:
    """Let the running provider sign with a new key."""
    key_id = post(options.provider_port, "/dev/rotate")["kid"]
    print(f"New tokens are signed with {key_id}. The old keys stay published.")


def token(options: argparse.Namespace) -> None:
    """Print a token of the running provider."""
    arguments = {
        "client_id": options.client,
        "subject": options.subject,
        "scopes": options.scope,
        "lifetime": options.lifetime,
        **dict(options.claim),
    }
    print(post(options.provider_port, "/dev/token", json=arguments)["access_token"])


def _claim(text: str) -> tuple[str, object]:
    name, value = text.split("=", 1)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _exit(signum: int, frame: object) -> NoReturn:
    # As an exception, so that what was started is stopped on the way out.
    sys.exit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
