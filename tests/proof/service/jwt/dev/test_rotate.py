"""A rotation at the local provider, and what the service makes of it."""

import pytest
from jose import jws
from starlette.testclient import TestClient

from dev.__main__ import main
from dev.processes import listen, serving
from dev.provider import Provider
from tests.callers import Clock, bearer


def test_rotated_key_signs_and_the_old_one_stays(
    client: TestClient, provider: Provider, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    old = provider.issue()
    listener = listen(0, "")
    with serving(provider, listener):
        exit_code = main(["rotate", "--provider-port", str(listener.getsockname()[1])])
    new = provider.issue()
    clock.now += 60

    assert exit_code == 0
    assert jws.get_unverified_header(new)["kid"] in capsys.readouterr().out
    assert jws.get_unverified_header(old)["kid"] != jws.get_unverified_header(new)["kid"]
    for token in (new, old):
        assert client.get("/probe", headers=bearer(token)).status_code == 200
