"""A revocation counts at once, whatever else goes on."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from proof.conftest import StartService
from proof.support import MODE, PATH, ROOT, Service, body, eventually, free_port, settings, signed

CACHED = 10_000
"""Tokens that are in use, and cached where answers are."""
REVOKED = 500
"""Users who are deleted at once."""
AT_A_TIME = 32


@pytest.fixture(scope="module")
def signing_key() -> str:
    """Return a private key in PEM, where tokens are signed."""
    if MODE != "jwt":
        return ""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65_537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def provider(signing_key: str, tmp_path: Path) -> Iterator[str]:
    """Run the provider and return its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "proof.provider:app", "--port", str(port)]
    environment = {**os.environ, "SIGNING_KEY": signing_key}
    process = subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT, env=environment)
    provider = Service(tmp_path, {}, port, process)
    try:
        eventually(lambda: provider.get("/") == 404)
        yield url
    finally:
        provider.stop()


def tokens(provider: str, signing_key: str) -> list[str]:
    """Return a token for each user."""
    if MODE != "jwt":
        return [f"t-user-{number}" for number in range(CACHED)]
    from jose import jwk, jws

    key, now = jwk.construct(signing_key, "RS256"), int(time.time())
    claims = {"iss": provider, "client_id": "client", "scp": [], "aud": [], "exp": now + 3600}
    header = {"kid": "key-1", "typ": "at+jwt"}
    return [
        jws.sign({**claims, "sub": f"user-{number}", "iat": now - 3600}, key, header, "RS256")
        for number in range(CACHED)
    ]


async def status(session: aiohttp.ClientSession, service: Service, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with session.get(service.url + "/widgets", headers=headers) as response:
        await response.read()
        return response.status


async def deliver(session: aiohttp.ClientSession, service: Service, number: int) -> int:
    content = body(f"evt_{number}", "user.deleted", f"user-{number}")
    url = service.url + PATH
    async with session.post(url, data=content, headers=signed(content)) as response:
        await response.read()
        return response.status


async def each(numbers: range, action: object) -> list[int]:
    """Call `action` with each number, some at a time."""
    places = asyncio.Semaphore(AT_A_TIME)

    async def one(number: int) -> int:
        async with places:
            return await action(number)  # type: ignore[operator, no-any-return]

    return await asyncio.gather(*map(one, numbers))


async def slowest_live(
    session: aiohttp.ClientSession, service: Service, over: asyncio.Event
) -> float:
    """Return the longest that `/health/live` takes until all is over, in seconds."""
    slowest = 0.0
    while not over.is_set():
        begun = time.monotonic()
        async with session.get(service.url + "/health/live") as response:
            assert response.status == 200
        slowest = max(slowest, time.monotonic() - begun)
        await asyncio.sleep(0.02)
    return slowest


async def revoke_many(one: Service, two: Service, known: list[str]) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:
        warm = await each(range(CACHED), lambda number: status(session, one, known[number]))
        assert set(warm) == {200}
        assert set(await each(range(REVOKED), lambda n: status(session, two, known[n]))) == {200}
        over = asyncio.Event()
        watching = asyncio.create_task(slowest_live(session, one, over))

        async def revoke(number: int) -> int:
            """Return the status of the next request after the 200 of a delivery."""
            assert await deliver(session, one, number) == 200
            return await status(session, one, known[number])

        begun = time.monotonic()
        after = await each(range(REVOKED), revoke)
        delivered = time.monotonic()
        while set(await each(range(REVOKED), lambda n: status(session, two, known[n]))) != {401}:
            assert time.monotonic() < delivered + 10
        elsewhere = time.monotonic() - delivered
        others = await each(range(CACHED - 500, CACHED), lambda n: status(session, one, known[n]))
        over.set()

        assert set(after) == {401}
        assert set(others) == {200}
        print(
            json.dumps(
                {
                    "seconds for all deliveries": round(delivered - begun, 2),
                    "seconds until the other process refuses": round(elsewhere, 2),
                    "slowest /health/live in ms": round(1000 * await watching),
                }
            )
        )
        assert elsewhere < 2 + 3
        assert await watching < 0.5


def test_revocations_count_at_once(service: StartService, provider: str, signing_key: str) -> None:
    """In the process that took the delivery, and within two seconds in another one.

    With 10,000 answers cached and 500 users deleted at once, other requests do not notice.
    """
    variables = settings(provider)
    one, two = service(**variables), service(**variables)

    asyncio.run(revoke_many(one, two, tokens(provider, signing_key)))
