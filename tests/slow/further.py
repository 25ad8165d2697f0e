"""Further tests of a service, which are laid beside its own."""

import shutil
import subprocess
from pathlib import Path

from tests.combinations import Answers

FURTHER = Path(__file__).parents[1] / "proof" / "service"
PACKAGES = ("hypothesis>=6.170,<7", "openapi-spec-validator>=0.9,<0.10", "trustme>=1.2,<2")
"""What they import, and a service does not."""


def folders(answers: Answers) -> list[str]:
    """Return the folders of `tests/proof/service/` that are for a combination."""
    mode, caching, webhooks = answers.values()
    is_jwt, is_sdk = mode == "jwt", mode == "sdk"
    applies = {
        "base": True,
        mode: True,
        "olympus": not is_sdk,
        "caching": caching,
        "webhooks": webhooks,
        "olympus_webhooks": webhooks and not is_sdk,
        "sdk_webhooks": webhooks and is_sdk,
        "revocations": webhooks and (caching or is_jwt),
    }
    return [folder for folder, is_for in applies.items() if is_for]


def lay_further_tests(project: Path, answers: Answers) -> list[str]:
    """Copy what is for a combination into `tests/` of its rendered project. Return the tests."""
    shutil.copy(FURTHER / "conftest.py", project)
    laid = []
    for folder in folders(answers):
        if (FURTHER / folder).is_dir():
            shutil.copytree(FURTHER / folder, project / "tests", dirs_exist_ok=True)
            found = sorted((FURTHER / folder).rglob("test_*.py"))
            laid += [f"tests/{path.relative_to(FURTHER / folder).as_posix()}" for path in found]
    return laid


def install_packages(project: Path, *packages: str) -> None:
    """Install packages beside those of a project."""
    if not packages:
        return
    uv = shutil.which("uv") or project / ".venv/bin/uv"  # the one that its Makefile has installed
    python = project / ".venv/bin/python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)
