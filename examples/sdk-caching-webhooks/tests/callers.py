"""What a caller of the service sends, and the time that the tests live in."""

from dataclasses import dataclass

NOW = 1_800_000_000.0
AUDIENCE = "https://widgets.example"


@dataclass
class Clock:
    """A clock that stands still until it is told to go on. Seconds since 1970."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def bearer(token: str) -> dict[str, str]:
    """Return the headers of a caller who has `token`."""
    return {"Authorization": f"Bearer {token}"}
