"""Mutants that no test has to notice, with the reason."""

UNNOTICED: dict[str, str] = {
    "app/webhooks/worker.py: Worker._ended: `len(self._running) <= MAX_RUNNING / 2` turned round": (
        "It decides how many events one claim is for, which is a matter of speed."
    ),
}
