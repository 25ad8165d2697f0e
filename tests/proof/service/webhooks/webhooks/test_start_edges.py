"""Starting beside a database that cannot be opened."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.processes import ROOT
from tests.conftest import ENVIRON

WRONG = ["sqlite:////nowhere/inbox.sqlite", "postgresql://me:hunter2@127.0.0.1:9/inbox"]


@pytest.mark.parametrize("url", WRONG)
def test_start_without_a_database(tmp_path: Path, url: str) -> None:
    """The operator gets sentences without a traceback, and the supervisor a failure."""
    process = subprocess.run(
        [sys.executable, "-m", "uvicorn", "app.main:app", "--port", "0"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            **ENVIRON,
            "INBOX_DATABASE_URL": url,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert process.returncode != 0
    assert "The inbox cannot be opened" in process.stderr
    assert "Traceback" not in process.stderr
    assert "hunter2" not in process.stderr
