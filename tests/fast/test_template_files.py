"""The template before it is rendered: every file is valid."""

import ast
import itertools
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.combinations import CHOICES, ROOT, TEMPLATE

VARIANTS = ROOT / "templates"
PYPROJECT = TEMPLATE / "pyproject.toml"

EITHER = r"\('(\w+)' if cookiecutter\.(?:include_|__)\w+ else '(\w*)'\)"
PART = re.compile(rf" ~ (?:'([a-z_/]*(?:\.py)?)'|cookiecutter\.(\w+)|{EITHER})")
STUB = re.compile(rf"# {{% include ('[a-z_/]+(?:\.py)?'(?:{PART.pattern})*) %}}\n")
"""The only content of a Python file that depends on an answer: one include line.

It names one file, or one for each answer, or one for yes and one for no. An answer that it does not
name gets no file.
"""

COMPOSED = {
    TEMPLATE / "app" / "main.py",
    TEMPLATE / "app" / "services.py",
    TEMPLATE / "app" / "settings.py",
    TEMPLATE / "dev" / "__main__.py",
}
"""The files that only list the parts of a service. Only these may contain blocks."""


NAMES = TEMPLATE / "app" / "about.py"
"""The one Python file that holds answers, as strings."""


def files(*suffixes: str) -> list[Path]:
    """Return the template's files whose rendered names end with one of the suffixes."""
    return [
        path
        for folder in (TEMPLATE, VARIANTS)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and "__pycache__" not in path.parts
        and rendered(path.name).endswith(suffixes)
    ]


def rendered(file_name: str) -> str:
    """Return the rendered name of a file that may have a conditional name."""
    return re.sub(r"\{\{ '([^']+)' if .* else '' \}\}", r"\1", file_name)


def shown(path: Path) -> str:
    """Return a path for test reports."""
    return path.relative_to(ROOT).as_posix()


PYTHON = files(".py")
each_python_file = pytest.mark.parametrize("path", PYTHON, ids=shown)


def included(stub: str) -> list[str]:
    """Return the variants that a stub may include: one, or one for each answer."""
    match = STUB.fullmatch(stub)
    if match is None:
        return []
    parts = [
        [text] if text else CHOICES[question] if question else [one, other]
        for text, question, one, other in PART.findall(" ~ " + match[1])
    ]
    return ["".join(map(str, choice)) for choice in itertools.product(*parts)]


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's Python unrendered, each variant at the place of its stub.

    The rules of the linter depend on the folder.
    """
    root = tmp_path_factory.mktemp("laid-out")
    for path in files(".py"):
        if TEMPLATE in path.parents:
            place = path.relative_to(TEMPLATE).with_name(rendered(path.name))
            text = path.read_text(encoding="utf-8")
            lay(root / "template" / place, text)
            for variant in included(text):
                body = (VARIANTS / variant).read_text(encoding="utf-8")
                lay(root / variant.removesuffix(".py").replace("/", "-") / place, body)
    for folder in root.iterdir():
        shutil.copy(PYPROJECT, folder)
    return root


def lay(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def ruff(folder: Path, *arguments: str) -> str:
    """Return the output of ruff for a folder, with the rules of the service."""
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--no-cache", "."],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
    )
    return "" if result.returncode == 0 else result.stdout + result.stderr


def test_there_is_python_to_look_at() -> None:
    """The tests below would pass without any file."""
    assert {TEMPLATE / "app/main.py", VARIANTS / "app/auth/verifier/jwt.py"} <= set(PYTHON)


@each_python_file
def test_python_parses(path: Path) -> None:
    """So every tool can read the template itself."""
    ast.parse(path.read_text(encoding="utf-8"))


def test_python_passes_the_linter(laid_out: Path) -> None:
    """With the rules that the rendered service ships."""
    stubs = [path for path in laid_out.rglob("*.py") if STUB.fullmatch(path.read_text("utf-8"))]
    # A stub is one line, without a docstring.
    bare = [
        f"--extend-per-file-ignores={path}:{rule}" for path in stubs for rule in ("D100", "E501")
    ]

    assert ruff(laid_out, "check", "--output-format=concise", *bare) == ""


def test_python_is_formatted(laid_out: Path) -> None:
    """Nothing formats a project after it is rendered."""
    assert ruff(laid_out, "format", "--check") == ""


@each_python_file
def test_python_holds_no_template_code(path: Path) -> None:
    """A file depends on an answer as a whole, by a stub of one line, or not at all.

    The few files that list the parts of a service have blocks, which are comments.
    """
    text = path.read_text(encoding="utf-8")

    if path in COMPOSED:
        blocks = [line for line in text.splitlines() if "{%" in line]
        assert blocks
        assert all(re.search(r"# \{%[-+]? .* [-+]?%\}$", line) for line in blocks)
    elif path == NAMES:
        text = re.sub(r'"\{\{ cookiecutter\.(?:__\w+_escaped|\w+)(?: \| lower)? \}\}"', "", text)
    elif "cookiecutter" in text or "{%" in text:
        assert STUB.fullmatch(text)
    assert [line for line in text.splitlines() if re.search(r"\{\{|\}\}|\{#", line)] == []


def test_stubs_and_variants_belong_together() -> None:
    """A stub has a file for every answer, and every file has a stub."""
    wanted = {name for path in PYTHON for name in included(path.read_text(encoding="utf-8"))}
    blocks = re.compile(r"# \{% include '([^']+)' %\}")
    others = {name for path in files("") for name in blocks.findall(path.read_text("utf-8"))}
    existing = {
        path.relative_to(VARIANTS).as_posix() for path in files("") if VARIANTS in path.parents
    }

    assert wanted | others == existing


def test_data_loads() -> None:
    """Blocks are comments there, and values are in strings."""
    for path in files(".toml"):
        assert tomllib.loads(path.read_text(encoding="utf-8")), path
    for path in files(".json"):
        assert json.loads(path.read_text(encoding="utf-8")), path
    for path in files(".yaml", ".yml"):
        assert list(yaml.safe_load_all(path.read_text(encoding="utf-8"))), path


@pytest.mark.parametrize("path", files(""), ids=shown)
def test_a_name_is_good_on_windows(path: Path) -> None:
    """A repository with one bad name cannot be cloned there."""
    name = path.relative_to(ROOT).as_posix()

    assert not re.search(r'["|:<>?*\\]', name)
    assert len(name) <= 160
    assert name.count("/") <= 6
    assert all(part.rstrip(". ") == part for part in name.split("/"))


def test_no_folder_has_a_condition() -> None:
    """If the name is empty, cookiecutter writes the files to another folder."""
    folders = [path for path in TEMPLATE.rglob("*") if path.is_dir()]

    assert [folder for folder in folders if "{" in folder.relative_to(TEMPLATE).as_posix()] == []


def test_a_python_file_that_may_be_missing_is_a_stub() -> None:
    """Tools ignore a file whose name does not end in `.py`, so its body is in `templates/`."""
    conditional = [path for path in PYTHON if path.suffix != ".py"]

    assert [p for p in conditional if not STUB.fullmatch(p.read_text(encoding="utf-8"))] == []


def test_these_tests_import_what_a_service_imports() -> None:
    """Template and service require the same versions, so one environment is enough."""
    root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    service = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))

    assert root["dependency-groups"]["service"] == service["project"]["dependencies"]


def test_nothing_depends_on_a_package_that_is_not_published() -> None:
    """Anyone could register the name that Avnology's documentation installs."""
    named = re.compile(r"avnology[-_.]+id\b(?!_)", re.IGNORECASE)
    for path in (PYPROJECT, ROOT / "pyproject.toml"):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        groups = [
            document["project"].get("dependencies", []),
            *document["dependency-groups"].values(),
        ]

        assert [name for group in groups for name in group if named.match(name)] == []


def test_template_needs_python_3_11_or_newer() -> None:
    """Without an upper bound: a newer version must not stop an update."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert metadata["project"]["requires-python"] == ">=3.11"
