"""A project that cruft created is up to date, and takes an update without a conflict."""

import shutil
import subprocess
from pathlib import Path

import cruft
import pytest

from tests.combinations import COMBINATIONS, TEMPLATE, Answers, name
from tests.conftest import GIT
from tests.project import Project


def commit(folder: Path, *arguments: str) -> None:
    """Commit everything in a folder."""
    subprocess.run([*GIT, "add", "--all"], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "--quiet", "-m", "Change", *arguments], cwd=folder, check=True)


@pytest.fixture
def created(request: pytest.FixtureRequest, repository: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A template repository for one test, and a committed project created from it."""
    template = tmp_path / "template"
    shutil.copytree(repository, template)
    answers: Answers = {**request.param, "author": 'O\'Brien & "Söhne" \\\\'}
    project = cruft.create(
        str(template), output_dir=tmp_path, default_config=True, extra_context=answers
    )
    subprocess.run([*GIT, "init", "--quiet"], cwd=project, check=True)
    commit(project)
    return template, Path(project)


each_combination = pytest.mark.parametrize("created", COMBINATIONS, ids=name, indirect=True)


@each_combination
def test_a_new_project_is_up_to_date(created: tuple[Path, Path]) -> None:
    """Nothing depends on the time or the place of rendering."""
    _, project = created

    assert cruft.check(project)
    assert cruft.diff(project, exit_code=True)


@each_combination
def test_an_update_brings_the_change_and_keeps_the_answers(created: tuple[Path, Path]) -> None:
    """An update renders all answers again, including hostile ones."""
    template, project = created
    before = Project(project).contents()
    with (template / TEMPLATE.name / "app" / "about.py").open("a") as about:
        about.write("# Changed upstream.\n")
    commit(template)

    assert not cruft.check(project)
    assert cruft.update(project, skip_apply_ask=True)
    assert cruft.check(project)

    after = Project(project).contents()
    changed = {file for file in after if after[file] != before.get(file) and ".git/" not in file}
    assert changed == {".cruft.json", "app/about.py"}
    assert after["app/about.py"] == before["app/about.py"] + b"# Changed upstream.\n"
