"""Users whose tokens are refused for `REVOCATION_TTL` seconds from the time of an event.

- `session.revoked` refuses the user's tokens issued at or before the event's time.
- `user.deleted` refuses all tokens of the user, unless a `user.created` has a later time.
- `user.disabled` refuses all tokens of the user, unless a `user.enabled` has a later time.
"""

import math
from collections.abc import Callable, Mapping

from prometheus_client import Gauge

from app.auth.claims import Claims, TokenVerifier
from app.auth.errors import InvalidToken

LIFTED_BY = {"user.deleted": "user.created", "user.disabled": "user.enabled"}
REVOCATION_EVENTS = ("session.revoked", *LIFTED_BY, *LIFTED_BY.values())
USERS = Gauge("revocations", "Users whose events are kept in memory")
MAX_LOGOUT_TTL = 86_400.0  # seconds: every logout is an event, and access tokens live shorter


class RevocableVerifier:
    """Refuses revoked tokens that `inner` accepts. `ttl` in seconds, `clock` since 1970."""

    def __init__(self, inner: TokenVerifier, ttl: float, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._ttl = ttl
        self._clock = clock
        # The times of the newest event of each type, by subject, and those since the last reload
        self._times: dict[str, dict[str, float]] = {}
        self._next: dict[str, dict[str, float]] = {}
        USERS.set_function(lambda: len(self._times))

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return what `inner` returns. Raises `InvalidToken` for a revoked token."""
        claims = await self._inner.verify(token, max_age=max_age)
        # After the answer: an event that arrived during the call counts.
        if times := self._times.get(claims.owner or ""):
            check_not_logged_out(claims, times, self._clock() - min(self._ttl, MAX_LOGOUT_TTL))
            check_not_ended(times, self._clock() - self._ttl)
        return claims

    def apply(self, event_type: str, subject: str | None, occurred_at: float) -> None:
        """Take an event into account. The order of calls does not matter, nor do repetitions."""
        if subject is not None and event_type in REVOCATION_EVENTS:
            for times_by_subject in (self._times, self._next):
                times = times_by_subject.setdefault(subject, {})
                times[event_type] = max(occurred_at, times.get(event_type, -math.inf))

    def end_reload(self) -> None:
        """Forget events that were not applied since the last reload: they are no longer stored."""
        self._times, self._next = self._next, {}


def check_not_logged_out(claims: Claims, times: Mapping[str, float], since: float) -> None:
    """Refuse a token without `iat`, or issued up to a `session.revoked` later than `since`."""
    at = times.get("session.revoked", -math.inf)
    if at > since and (claims.issued_at is None or claims.issued_at <= at):
        raise InvalidToken("revoked")


def check_not_ended(times: Mapping[str, float], since: float) -> None:
    """Refuse any token if its user was deleted or disabled after `since` and nothing lifts it."""
    for end, start in LIFTED_BY.items():
        at = times.get(end, -math.inf)
        if at > since and at >= times.get(start, -math.inf):
            raise InvalidToken("revoked")
