"""Users whose tokens are refused, because an event said so.

| event             | refuses |
| ----------------- | ------- |
| `session.revoked` | the user's tokens issued at or before the event's time |
| `user.deleted`    | all tokens of the user, unless a `user.created` or `LIFTED` has a later time |
| `user.disabled`   | the same, unless a `user.enabled` or `LIFTED` has a later time |

A refusal counts for `REVOCATION_TTL` seconds from the event's time.
"""

import math
from collections.abc import Callable, Mapping

from app.auth.claims import Claims, TokenVerifier
from app.auth.errors import InvalidToken

LIFTED = "revocation.lifted"
"""What an operator stores to lift a mistaken `user.deleted` or `user.disabled`."""
REVOCATION_EVENTS = (
    "session.revoked",
    "user.deleted",
    "user.disabled",
    "user.created",
    "user.enabled",
    LIFTED,
)
"""The types of events that revoke or lift."""
MAX_LOGOUT_TTL = 86_400.0
"""Seconds that `session.revoked` counts at most. Every logout is one, and no access token lives
longer."""


class Revocations:
    """The newest event of each type about each user. `ttl` in seconds, `clock` since 1970."""

    def __init__(self, ttl: float, clock: Callable[[], float]) -> None:
        self._ttl = ttl
        self._clock = clock
        self._times: dict[str, dict[str, float]] = {}
        self._reloaded: dict[str, dict[str, float]] | None = None

    def apply(self, event_type: str, subject: str, occurred_at: float) -> None:
        """Take an event into account. The order of calls does not matter, nor do repetitions."""
        for times_by_subject in (self._times, self._reloaded):
            if times_by_subject is not None:
                times = times_by_subject.setdefault(subject, {})
                times[event_type] = max(occurred_at, times.get(event_type, -math.inf))

    def begin_reload(self) -> None:
        """Collect the events that are applied from now on in a new map too."""
        self._reloaded = {}

    def end_reload(self) -> None:
        """Replace the map by the new one, without the events that are no longer stored."""
        if self._reloaded is not None:
            self._times, self._reloaded = self._reloaded, None

    def check(self, claims: Claims) -> None:
        """Raise `InvalidToken` if the tokens of the subject are refused."""
        times = self._times.get(claims.owner or "")
        if times is not None:
            now = self._clock()
            check_not_logged_out(claims, times, now - min(self._ttl, MAX_LOGOUT_TTL))
            check_not_ended("user.deleted", "user.created", times, now - self._ttl)
            check_not_ended("user.disabled", "user.enabled", times, now - self._ttl)


class RevocableVerifier:
    """Refuses revoked tokens that another verifier accepts."""

    def __init__(self, inner: TokenVerifier, revocations: Revocations) -> None:
        self._inner = inner
        self._revocations = revocations

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return what `inner` returns. Raises `InvalidToken` for a revoked token."""
        claims = await self._inner.verify(token, max_age=max_age)
        # After the answer: an event that arrived during the call counts.
        self._revocations.check(claims)
        return claims

    async def check(self) -> None:
        """Raise `ProviderUnavailable` unless tokens can be verified now."""
        await self._inner.check()


def check_not_logged_out(claims: Claims, times: Mapping[str, float], since: float) -> None:
    """Refuse a token issued at or before a `session.revoked` that occurred after `since`.

    Refuse a token without `iat` too. `iat` is in whole seconds.
    """
    at = times.get("session.revoked", -math.inf)
    if at > since and (claims.issued_at is None or claims.issued_at <= at):
        raise InvalidToken("revoked")


def check_not_ended(end: str, start: str, times: Mapping[str, float], since: float) -> None:
    """Refuse any token if an `end` occurred after `since` and no later event lifts it."""
    at = times.get(end, -math.inf)
    lifted_at = max(times.get(start, -math.inf), times.get(LIFTED, -math.inf))
    if at > since and at >= lifted_at:
        raise InvalidToken("revoked")
