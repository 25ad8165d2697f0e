"""Mutants that no test has to notice, with the reason."""

UNNOTICED: dict[str, str] = {
    (
        "app/webhooks/worker.py: Worker._process: "
        "`len(self._running) <= MAX_RUNNING / 2` turned round"
    ): ("It decides how many events one claim is for, which is a matter of speed."),
    (
        "app/auth/permissions.py: require_permission.permitted: without "
        "`await check_permission(client, principal, relation, object_fn(request))`"
    ): "The runner cannot replace a coroutine by a function; every test of a denial needs it.",
}
