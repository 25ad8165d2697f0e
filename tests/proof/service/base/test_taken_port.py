"""Another process has the port of the metrics."""

import socket

import pytest

from tests.conftest import Start


def test_taken_port_is_a_warning(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104
        client = start(METRICS_PORT=str(taken.getsockname()[1]))

        assert client.get("/health/live").status_code == 200
    assert "no metrics are served" in caplog.text
