"""Events from the command line, as a developer sends them to the running service."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.deliveries import PATH, SIGNATURE, TIMESTAMP
from app.signature import is_signed
from dev.commands import main
from dev.deliveries import add_command
from dev.environment import HOST
from dev.signing import SECRET

Delivery = tuple[str, str, str, bytes]


@contextmanager
def listening(status: int) -> Iterator[tuple[int, list[Delivery]]]:
    """Take deliveries on a port, and answer all of them with `status`."""
    taken: list[Delivery] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, self.headers[SIGNATURE], self.headers[TIMESTAMP], body))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"detail": "Invalid signature"}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer((HOST, 0), Taker) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, taken
        server.shutdown()
        thread.join()


def send(port: int, *options: str) -> int:
    """Run the command and return its exit code."""
    arguments = ["send", "user.deleted", "--subject", "anna", "--port", str(port), *options]
    return main(arguments, more_commands=[add_command])


def test_an_event_is_sent_as_the_platform_does() -> None:
    """With `--id` a second time it is the same event."""
    with listening(200) as (port, taken):
        codes = [send(port), send(port, "--id", "evt_1"), send(port, "--id", "evt_1")]
    events = [json.loads(body) for *_, body in taken]

    assert codes == [0, 0, 0]
    assert all(
        path == PATH and is_signed(body, signature, [SECRET], timestamp)
        for path, signature, timestamp, body in taken
    )
    assert {(each["type"], each["data"]["user_id"]) for each in events} == {
        ("user.deleted", "anna")
    }
    assert [each["id"] == "evt_1" for each in events] == [False, True, True]


def test_a_refusal_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(401) as (port, _):
        assert send(port) == 1

    assert capsys.readouterr().err == "The service does not take it: 401 Invalid signature.\n"


def test_no_service_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert send(9) == 1
    assert "No answer at http://127.0.0.1:9" in capsys.readouterr().err
