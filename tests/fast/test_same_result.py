"""Every way to render gives the same project, byte for byte."""

import os
import subprocess
import sys
from pathlib import Path

import cruft
import pytest

from tests.combinations import COMBINATIONS, ROOT, Answers, name
from tests.project import Bake, Project, render

WITHOUT_NETWORK = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"{event} {arguments}")

sys.addaudithook(refuse)
from cookiecutter.cli import main
main()
"""

each_combination = pytest.mark.parametrize("combination", COMBINATIONS, ids=name)


@each_combination
def test_hooks_select_nothing(combination: Answers, bake: Bake) -> None:
    """Many users and tools render without hooks."""
    with_hooks, without = bake(**combination), bake(accept_hooks=False, **combination)

    assert with_hooks.contents() == without.contents()


@each_combination
def test_the_command_gives_the_same(combination: Answers, bake: Bake, tmp_path: Path) -> None:
    """The command of the README."""
    answers = [f"{question}={str(answer).lower()}" for question, answer in combination.items()]

    subprocess.run(
        [sys.executable, "-m", "cookiecutter", ROOT, "--no-input", "-o", tmp_path, *answers],
        check=True,
    )

    assert Project(tmp_path / "widget-service").contents() == bake(**combination).contents()


@each_combination
def test_cruft_gives_the_same(
    combination: Answers,
    bake: Bake,
    repository: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """cruft adds one file of its own."""
    path = cruft.create(
        str(repository), output_dir=tmp_path, default_config=True, extra_context=combination
    )

    contents = Project(path).contents()
    assert contents.pop(".cruft.json")
    assert contents == bake(**combination).contents()
    assert capfd.readouterr() == ("", "")


@each_combination
def test_nothing_is_random(combination: Answers, bake: Bake, tmp_path: Path) -> None:
    """A random secret or a date would be a change in every update."""
    assert render(tmp_path, **combination).contents() == bake(**combination).contents()


def test_rendering_needs_no_network_and_no_other_program(bake: Bake, tmp_path: Path) -> None:
    """Only cookiecutter and the template: no git, no make, no installer."""
    subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK, ROOT, "--no-input", "-o", tmp_path],
        check=True,
        env={**os.environ, "PATH": str(tmp_path)},
    )

    assert Project(tmp_path / "widget-service").contents() == bake().contents()


@each_combination
def test_no_folder_is_empty(combination: Answers, bake: Bake) -> None:
    """The hook removes what a combination leaves empty."""
    folders = [path for path in bake(**combination).path.rglob("*") if path.is_dir()]

    assert folders
    assert [folder for folder in folders if not any(folder.iterdir())] == []
