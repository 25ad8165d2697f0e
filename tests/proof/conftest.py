"""Databases of each kind, and processes of the service that are ended in any case."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from proof.support import Database, Service, postgresql, settings


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield Database(f"sqlite:///{tmp_path}/inbox.sqlite")
        return
    with postgresql() as database:
        yield database


StartService = Callable[..., Service]


@pytest.fixture
def service(database: Database, tmp_path: Path) -> Iterator[StartService]:
    """Return how a process of the service is made, which uses the database."""
    with ExitStack() as stack:

        def make(*, start: bool = True, **variables: str) -> Service:
            environment = {**settings(), "INBOX_DATABASE_URL": database.url, **variables}
            made = Service(tmp_path, environment)
            stack.callback(made.stop)
            if start:
                made.start()
            return made

        yield make
