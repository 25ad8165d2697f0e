"""What a team does with its service: a router with a table, a setting, a dependency, and more."""

import difflib
from pathlib import Path

from tests.project import Project
from tests.updates.repository import edit, git

ORDERS = '''"""YOURS. Orders, kept in a table."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Request, Security
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from starlette.datastructures import State

from app.auth import Principal, bearer

router = APIRouter(tags=["orders"], include_in_schema=False)
metadata = sa.MetaData()
orders = sa.Table("orders", metadata, sa.Column("owner", sa.Text, primary_key=True))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncEngine]:
    """Open the database of orders."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()


def check_of(state: State) -> Callable[[], Awaitable[None]]:
    """Return the readiness check."""

    async def check() -> None:
        async with state.orders.connect() as connection:
            await connection.execute(sa.select(orders))

    return check


@router.post("/orders")
async def order(
    request: Request, principal: Annotated[Principal, Security(bearer, scopes=["write:orders"])]
) -> int:
    """Order, and return how many orders there are."""
    async with request.state.orders.begin() as connection:
        await connection.execute(orders.insert().values(owner=principal.subject))
        found = await connection.execute(sa.select(orders))
        return len(found.all())
'''
ORDERS_TEST = '''"""YOURS. Orders."""

from starlette.testclient import TestClient

from tests.callers import bearer
from tests.conftest import IssueToken


def test_order_needs_its_scope(client: TestClient, token: IssueToken) -> None:
    writer = bearer(token(scopes=("write:orders",), subject="anna"))
    reader = bearer(token(scopes=("read:orders",), subject="anna"))

    assert client.post("/orders", headers=writer).json() == 1
    assert client.post("/orders", headers=reader).status_code == 403
    assert client.get("/health/ready").status_code == 200
'''
SETTING = '''
    orders_url: str = "sqlite+aiosqlite://"
    """The database of orders."""
'''
DEPENDENCIES = """  # Yours
  "aiosqlite>=0.22,<1",
  "sqlalchemy[asyncio]>=2.1,<3",
"""
HANDLERS = "app/webhooks/handlers.py"


def write(file: Path, text: str, mode: str = "w") -> None:
    """Write a file of the team, or append to one with the mode `a`."""
    file.parent.mkdir(exist_ok=True)
    with file.open(mode, encoding="utf-8") as opened:
        opened.write(text)


def grow(service: Path) -> None:
    """Add a router, a table, a setting, a resource, a check and a dependency."""
    write(service / "app/routes/orders.py", ORDERS)
    write(service / "tests/routes/test_orders.py", ORDERS_TEST)
    write(service / "app/team_settings.py", SETTING, "a")
    edit(service / "pyproject.toml", r"^  # Yours\n", DEPENDENCIES)
    extensions = service / "app/extensions.py"
    edit(extensions, r"^from app.routes import ", "from app.routes import orders, ")
    edit(extensions, r"= \[widgets", "= [orders.router, widgets")
    opened = "async with orders.opened(settings.orders_url) as engine:"
    edit(extensions, r"^    yield \{\}$", f'    {opened}\n        yield {{"orders": engine}}')
    edit(extensions, r"^    return \{\}$", '    return {"orders": orders.check_of(state)}')


def edit_the_rest(service: Path) -> None:
    """Delete the example, edit the README, and change a handler where there is one."""
    for file in ("app/routes/widgets.py", "tests/routes/test_widgets.py"):
        (service / file).unlink(missing_ok=True)
    edit(service / "app/extensions.py", "orders, widgets", "orders")
    edit(service / "app/extensions.py", r"orders\.router, widgets\.router", "orders.router")
    edit(service / "README.md", r"^## Working on it\n", "## Working on it\n\nCall Anna first.\n")
    if (service / HANDLERS).exists():
        write(service / HANDLERS, "# Changed by the team.\n", "a")


def changes(render: Project, service: Path) -> dict[str, list[str]]:
    """Return the lines of a service that differ from a render, by file."""
    files = git(service, "ls-files").splitlines()
    own = {file: (service / file).read_text(encoding="utf-8") for file in files}
    rendered = render.texts()
    found = {}
    for file in sorted({*rendered, *own}):
        old, new = (texts.get(file, "(none)\n").splitlines() for texts in (rendered, own))
        delta = difflib.unified_diff(old, new, n=0, lineterm="")
        if changed := [line for line in delta if not line.startswith(("---", "+++", "@@"))]:
            found[file] = changed
    return found
