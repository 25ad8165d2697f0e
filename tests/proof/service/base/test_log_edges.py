"""Further records and request ids."""

import logging
from typing import cast

import pytest
from starlette.testclient import TestClient

from app.auth.errors import AuthError, InvalidToken
from app.logging import configure_logging
from tests.test_logging import Records, records

__all__ = ["records"]


def test_order_of_the_fields(records: Records) -> None:
    configure_logging("INFO", "json")
    logging.getLogger("app.test").info("stored", extra={"event_id": "a"})

    assert list(records()[0]) == ["timestamp", "level", "logger", "message", "event_id"]


def test_exception_is_a_field(records: Records) -> None:
    configure_logging("INFO", "json")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("app.test").exception("failed")
    (record,) = records()

    assert record["exception"].endswith("ValueError: two\nlines")


def test_level_is_that_of_the_setting(records: Records) -> None:
    configure_logging("ERROR", "json")
    logging.getLogger("app.test").warning("quiet")
    logging.getLogger("app.test").error("loud")

    assert [record["message"] for record in records()] == ["loud"]


def test_refusals_hold_nothing_but_their_reason() -> None:
    """One that kept a token or a response would leave with the first traceback."""
    kept = {"message", "reason", "scopes", "status_code", "detail", "headers", "retry_after"}
    for kind in AuthError.__subclasses__():
        assert set(vars(cast(type[InvalidToken], kind)("reason"))) <= kept


@pytest.mark.parametrize("sent", ["a\tb", "x" * 10_240])
def test_request_id_is_replaced(client: TestClient, sent: str) -> None:
    response = client.get("/health/live", headers=[(b"X-Request-ID", sent.encode())])

    assert len(response.headers["x-request-id"]) == 32
