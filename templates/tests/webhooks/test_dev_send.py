"""Events from the command line, as a developer sends them to the running service."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.webhooks.signature import PATH, SIGNATURE, TIMESTAMP
from dev.commands import main
from dev.deliveries import add_send
from dev.environment import HOST
from dev.signing import signed

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
    return main(["send", *options, "--port", str(port)], more_commands=[add_send])


DELETED = ("user.deleted", "--subject", "anna")


def test_event_about_a_user() -> None:
    """With `--id` a second time it is the same event."""
    with listening(200) as (port, taken):
        codes = [send(port, *DELETED), *[send(port, *DELETED, "--id", "evt_1") for _ in range(2)]]
    events = [json.loads(body) for *_, body in taken]

    assert codes == [0, 0, 0]
    for path, signature, timestamp, body in taken:
        assert path == PATH
        assert signed(body, at=float(timestamp))[SIGNATURE] == signature
    assert [(each["type"], each["data"]) for each in events] == [
        ("user.deleted", {"user_id": "anna"})
    ] * 3
    assert [each["id"] == "evt_1" for each in events] == [False, True, True]


def test_event_with_data() -> None:
    with listening(200) as (port, taken):
        assert send(port, "invoice.paid", "--data", '{"invoice_id": 7}') == 0

    assert json.loads(taken[0][3])["data"] == {"invoice_id": 7}


@pytest.mark.parametrize("data", ["7", "{"])
def test_data_that_is_no_json_object(data: str) -> None:
    with pytest.raises(SystemExit):
        send(9, "invoice.paid", "--data", data)


def test_refused_event(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(401) as (port, _):
        assert send(port, *DELETED) == 1

    assert capsys.readouterr().err == "The service refuses the event: 401 Invalid signature.\n"


def test_no_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert send(9, *DELETED) == 1
    assert "No answer at http://127.0.0.1:9" in capsys.readouterr().err
