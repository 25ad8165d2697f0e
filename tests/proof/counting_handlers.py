"""Handlers that leave a trace of every call: a row in the database, and a line in a file.

`LEASE` in the environment makes leases shorter, so that a test need not wait for a long one.
"""

import asyncio
import os
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.webhooks import worker
from app.webhooks.database import metadata
from app.webhooks.events import Event, Handler

if "LEASE" in os.environ:
    worker.LEASE = float(os.environ["LEASE"])
    worker.HEARTBEAT = worker.LEASE / 3

effects = sa.Table("effects", metadata, sa.Column("id", sa.Text), sa.Column("process", sa.Text))


async def count(event: Event, connection: AsyncConnection) -> None:
    """Note the event outside of the database, then in it."""
    with Path("calls.txt").open("a") as calls:
        calls.write(f"{event.id}\n")
    await asyncio.sleep(float(os.environ.get("HANDLER_SECONDS", "0")))
    row = {"id": event.id, "process": str(os.getpid())}
    await connection.execute(sa.insert(effects).values(row))


HANDLERS = {"user.updated": Handler(count)}
