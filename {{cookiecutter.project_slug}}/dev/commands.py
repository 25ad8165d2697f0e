"""What can be done on the command line with the local provider."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeAlias

from dev.calls import CallFailed, fetch_token
from dev.clients import READER, WRITER
from dev.demo import Calls, demo
from dev.environment import ADMIN_PORT, HOST, PUBLIC_PORT, Endpoints
from dev.processes import (
    ROOT,
    answers,
    provider_command,
    running,
    service_command,
    wait_until_up,
)
from dev.serving import NotStarted, is_loopback, listen, serve
from dev.variables import service_settings

CLIENTS = {client.client_id: client for client in (READER, WRITER)}

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What subcommands are added to."""


def main(
    arguments: Sequence[str] | None = None,
    *,
    more_commands: Iterable[Callable[[Commands], None]] = (),
    more_calls: Sequence[Calls] = (),
) -> int:
    """Run one command and return its exit code.

    `more_commands` add their own, and `more_calls` are made in the demonstration too.
    """
    options = parse(arguments, more_commands)
    options.more_calls = more_calls
    signal.signal(signal.SIGTERM, _end)
    try:
        exit_code: int = options.command(options)
    except KeyboardInterrupt:
        return 130 if options.command is _demo else 0
    except (NotStarted, CallFailed) as problem:
        print(problem, file=sys.stderr)
        return 1
    return exit_code


def parse(
    arguments: Sequence[str] | None, more_commands: Iterable[Callable[[Commands], None]]
) -> argparse.Namespace:
    """Return the command and its options."""
    parser = argparse.ArgumentParser(prog="python -m dev", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    ports = argparse.ArgumentParser(add_help=False)
    ports.add_argument("--public-port", type=int, default=PUBLIC_PORT, help="of the provider")
    ports.add_argument("--admin-port", type=int, default=ADMIN_PORT, help="of the provider")

    provider = commands.add_parser(
        "provider", parents=[ports], help="serve the provider on this machine"
    )
    provider.add_argument("--host", default=HOST, help="a loopback address")
    provider.set_defaults(command=_provider)

    token = commands.add_parser(
        "token", parents=[ports], help="print a token of the running provider"
    )
    token.add_argument("--client", choices=CLIENTS, default=WRITER.client_id)
    token.add_argument("--scope", nargs="*", help="without it: all scopes of the client")
    token.set_defaults(command=_token)

    run = commands.add_parser("run", parents=[ports], help="serve provider and service, reloading")
    run.add_argument("--port", type=int, default=8000, help="of the service")
    run.set_defaults(command=_run)

    show = commands.add_parser("demo", help="make every kind of call and show what happens")
    show.set_defaults(command=_demo)
    for add_command in more_commands:
        add_command(commands)
    return parser.parse_args(arguments)


def _provider(options: argparse.Namespace) -> int:
    if not is_loopback(options.host):
        print(f"{options.host} is not a loopback address: use {HOST}.", file=sys.stderr)
        return 2
    serve(options.host, options.public_port, options.admin_port)
    return 0


def _token(options: argparse.Namespace) -> int:
    public_url = Endpoints.local(options.public_port, options.admin_port).public
    scope = None if options.scope is None else " ".join(options.scope)
    if not answers(public_url + "/health/ready"):
        raise NotStarted(f"No provider at {public_url}: start one with `python -m dev provider`.")
    print(fetch_token(public_url, CLIENTS[options.client], scope))
    return 0


def _run(options: argparse.Namespace) -> int:
    for port in (options.public_port, options.admin_port, options.port):
        listen(HOST, port).close()
    provider_url = Endpoints.local(options.public_port, options.admin_port)
    environment = {**os.environ, **service_settings(provider_url)}
    reload = ["--reload", "--reload-dir", str(ROOT / "app")]
    with running(provider_command(options.public_port, options.admin_port)) as provider:
        wait_until_up(provider, provider_url.public + "/health/ready")
        with running(service_command(options.port, *reload), environment=environment) as service:
            service_url = f"http://{HOST}:{options.port}"
            # Without a limit: code that does not start yet is what reloading is for.
            wait_until_up(service, service_url + "/health/ready", seconds=None)
            _welcome(fetch_token(provider_url.public, WRITER), service_url)
            while provider.poll() is None and service.poll() is None:
                time.sleep(0.2)
    raise NotStarted("A process ended by itself, so the other one was ended too.")


def _welcome(token: str, service_url: str) -> None:
    print(f"\nA token of the client `writer`, good for an hour:\n\n  {token}\n")
    print(f"  curl -H 'Authorization: Bearer {token}' {service_url}/widgets\n", flush=True)


def _demo(options: argparse.Namespace) -> int:
    return demo(options.more_calls)


def _end(signum: int, frame: object) -> NoReturn:
    # As an exception, so that the processes that were started are ended on the way out
    sys.exit(128 + signum)
