"""Proofs that are laid beside a rendered project, in the fewest combinations that cover them."""

import os
import shutil
from pathlib import Path

import pytest

from tests.combinations import Answers, name
from tests.commands import run
from tests.slow.conftest import environment, install
from tests.slow.further import install_packages

PROOFS = Path(__file__).parents[1] / "proof"
HANDLERS = "app/webhooks/handlers.py"
"""Proofs of the inbox replace this file by handlers that count."""
FURTHER_PACKAGES = {
    "test_revocation_load.py": ("aiohttp>=3.14,<4",),
    "readme/test_recipes.py": ("aiosqlite>=0.22,<0.23", "sqlalchemy[asyncio]>=2.1,<3"),
}
"""Packages that a proof imports and its service may not have."""
HYDRA = {name: os.environ.get(name, "") for name in ("HYDRA_PUBLIC_URL", "HYDRA_ADMIN_URL")}
"""The URLs of a real Hydra, for the proofs that run beside one."""


def answers(mode: str, *, caching: bool, webhooks: bool) -> Answers:
    """Return the answers of a combination."""
    return {"validation_mode": mode, "include_caching": caching, "include_webhooks": webhooks}


ROWS: list[tuple[str, Answers]] = [
    ("test_cache_redis.py", answers("introspection", caching=True, webhooks=True)),
    ("test_inbox_processes.py", answers("introspection", caching=False, webhooks=True)),
    ("test_inbox_faults.py", answers("introspection", caching=False, webhooks=True)),
    ("test_revocation_load.py", answers("sdk", caching=True, webhooks=True)),
    ("test_revocation_load.py", answers("jwt", caching=False, webhooks=True)),
    ("readme/test_recipes.py", answers("introspection", caching=False, webhooks=False)),
    ("readme/test_recipes.py", answers("sdk", caching=False, webhooks=False)),
    ("recorded/test_introspection.py", answers("introspection", caching=False, webhooks=False)),
    ("recorded/test_jwt_provider.py", answers("jwt", caching=False, webhooks=False)),
    ("recorded/test_jwt_tokens.py", answers("jwt", caching=True, webhooks=False)),
    ("hydra/test_service.py", answers("introspection", caching=True, webhooks=False)),
    ("hydra/test_introspection.py", answers("introspection", caching=True, webhooks=False)),
    ("hydra/test_service.py", answers("jwt", caching=True, webhooks=False)),
    ("hydra/test_jwt.py", answers("jwt", caching=True, webhooks=False)),
]


@pytest.mark.parametrize(
    ("proof", "answers"), ROWS, ids=[f"{proof}-{name(answers)}" for proof, answers in ROWS]
)
def test_proof(proof: str, answers: Answers, tmp_path: Path) -> None:
    """The output says what was skipped, and why."""
    if proof.startswith("hydra/") and not all(HYDRA.values()):
        pytest.skip(f"no real Hydra: {' and '.join(HYDRA)} are not set")
    project = install(tmp_path, answers)
    install_packages(project.path, *FURTHER_PACKAGES.get(proof, ()))
    subject, _, module = proof.rpartition("/")
    # A proof in a folder uses the fixtures of the service's own tests.
    folder = f"tests/{subject}" if subject else "proof"
    shutil.copytree(PROOFS / subject, project.path / folder)
    if proof.startswith("test_inbox"):
        shutil.copy(PROOFS / "counting_handlers.py", project.path / HANDLERS)
    options = ["-q", "-rs", "-p", "no:cacheprovider", "--durations=5"]
    command = [".venv/bin/python", "-m", "pytest", f"{folder}/{module}", *options]

    print(run(command, project.path, environment(**HYDRA)))
