"""The workflow of a service that opens a pull request for each release."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.combinations import OPTIONS
from tests.project import Bake
from tests.slow.conftest import environment
from tests.updates.repository import NEXT, TREE, Releases, commit, git

FILE = ".github/workflows/update.yml"
DEFAULT = {question: values[0] for question, values in OPTIONS.items()}


def job_of(text: str) -> dict[str, Any]:
    """Return the only job of the workflow."""
    (job,) = yaml.safe_load(text)["jobs"].values()
    assert isinstance(job, dict)
    return job


def test_it_is_off_and_may_do_little(bake: Bake) -> None:
    """Actions are pinned, and only the last step has a token."""
    text = bake().read(FILE)
    job = job_of(text)

    assert yaml.safe_load(text)["permissions"] == {}
    assert job["permissions"] == {"contents": "write", "pull-requests": "write"}
    assert job["if"] == "vars.UPDATES == 'true'"
    assert re.findall(r"uses: (.*)", text) == re.findall(r"uses: (\S+@[0-9a-f]{40}  # v.*)", text)
    assert job["steps"][0]["with"] == {"persist-credentials": False}
    assert [step for step in job["steps"] if "TOKEN" in str(step)] == job["steps"][-1:]


@pytest.fixture
def service(releases: Releases, tmp_path: Path) -> Path:
    """A service with a remote repository."""
    service = releases.render(TREE, **DEFAULT)
    git(service, "init", "--quiet")
    commit(service, "Begin")
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    git(service, "remote", "add", "origin", str(tmp_path / "origin"))
    return service


@pytest.mark.parametrize("is_open", [False, True], ids=["new", "open already"])
def test_it_opens_a_pull_request(
    releases: Releases, service: Path, tmp_path: Path, is_open: bool
) -> None:
    """With the notes between the two versions. One that is open gets the newer commit."""
    calls = tmp_path / "calls"
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    status = '[ "$2" != create ]' if is_open else "true"
    gh.write_text(f'#!/bin/sh\necho "$*" >> {calls}\n{status}\n', encoding="utf-8")
    gh.chmod(0o755)
    variables = environment(
        PATH=f"{gh.parent}{os.pathsep}{os.environ['PATH']}",
        RUNNER_TEMP=str(tmp_path),
        BASE="main",
        TEMPLATE=str(releases.repository),
        PYTHON=sys.executable,
    )

    for step in job_of((service / FILE).read_text(encoding="utf-8"))["steps"]:
        if "run" in step:
            subprocess.run(
                ["bash", "-e", "-c", step["run"]], cwd=service, env=variables, check=True
            )

    title = f"Update from olympus-fastapi {TREE} to {NEXT}"
    assert git(tmp_path / "origin", "log", "-1", "--format=%s", "update") == title
    called = calls.read_text(encoding="utf-8").splitlines()
    assert called[1].startswith(f"pr create --base main --head update --title {title} --body-file")
    assert [call.split(" --")[0] for call in called[2:]] == (["pr edit update"] if is_open else [])
    assert f"Change of {NEXT}." in (tmp_path / "body.md").read_text(encoding="utf-8")
