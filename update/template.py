"""The template at any of its commits: its version, its choices, and what it renders."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository of the template that this code belongs to."""

ANSWERS = ".cookiecutter.json"
"""The file of a service that records its answers and the version that it was rendered from."""

COOKIECUTTER = "cookiecutter>=2.7.1,<3"
BOOLEANS = {"true": True, "false": False}
MARK = re.compile(rb"\W*YOURS\b")

Answer = str | bool
Answers = dict[str, Answer]


class Refused(Exception):
    """Why nothing was changed, and what to do. The text is for the person at the terminal."""


def git(folder: Path, *arguments: str, **environment: str) -> str:
    """Return what a git command prints. Raises `Refused` if it fails."""
    result = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
    )
    if result.returncode:
        raise Refused(f"git {arguments[0]} failed in {folder}: {result.stderr.strip()}")
    return result.stdout


def version_number(version: str) -> tuple[int, ...]:
    """Return the numbers of `1.2.0` or `v1.2.0`, to compare versions. Raises `Refused`."""
    if not re.fullmatch(r"v?\d+\.\d+\.\d+", version):
        raise Refused(f"{version!r} is not a version such as 1.2.0.")
    return tuple(map(int, version.removeprefix("v").split(".")))


def releases(repository: Path = ROOT) -> list[str]:
    """Return the versions that have a tag, the oldest first."""
    tags = git(repository, "tag", "--list", "v*").split()
    versions = [tag.removeprefix("v") for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)]
    return sorted(versions, key=version_number)


def recorded_answers(service: Path) -> tuple[Answers, str]:
    """Return the answers that a service records, and its version. Raises `Refused`."""
    file = service / ANSWERS
    try:
        answers = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(f"{service} is not a service of this template: no {ANSWERS}.") from None
    except ValueError:
        raise Refused(
            f"{file} is not JSON. If an update left conflicts there, resolve them first."
        ) from None
    if not isinstance(answers, dict) or "_template_version" not in answers:
        raise Refused(f"{file} records no version, so it is not from this template.")
    version = str(answers.pop("_template_version"))
    version_number(version)
    return answers, version


@dataclass(frozen=True)
class Template:
    """The template at one commit, unpacked into a folder."""

    commit: str
    folder: Path

    @classmethod
    def at(cls, revision: str, into: Path, repository: Path = ROOT) -> "Template":
        """Unpack a revision of the repository. Raises `Refused` if there is none."""
        try:
            commit = git(repository, "rev-parse", "--verify", f"{revision}^{{commit}}").strip()
        except Refused:
            raise Refused(f"The template has no commit {revision!r}.") from None
        index = {"GIT_INDEX_FILE": f"{into}.index"}
        git(repository, "read-tree", commit, **index)
        git(repository, "checkout-index", "--all", f"--prefix={into}/", **index)
        return cls(commit, into)

    @property
    def context(self) -> dict[str, object]:
        """What `cookiecutter.json` holds."""
        context: dict[str, object] = json.loads(
            (self.folder / "cookiecutter.json").read_text(encoding="utf-8")
        )
        return context

    @property
    def version(self) -> str:
        """The version that services rendered from it record."""
        return str(self.context["_template_version"])

    @property
    def choices(self) -> dict[str, list[str]]:
        """The allowed values of each choice. A free text has none."""
        choices: dict[str, list[str]] = {}
        for name, default in self.context.items():
            if not name.startswith("_"):
                values = list(BOOLEANS) if isinstance(default, bool) else default
                choices[name] = values if isinstance(values, list) else []
        return choices

    def checked(self, answers: Mapping[str, Answer]) -> Answers:
        """Return answers with typed values. Raises `Refused` for an unknown one."""
        choices = self.choices
        checked: Answers = {}
        for name, answer in answers.items():
            text = as_typed(answer)
            if name not in choices:
                raise Refused(f"There is no choice {name!r}. There are {self.described()}.")
            if choices[name] and text not in choices[name]:
                raise Refused(f"{name} is one of {', '.join(choices[name])}, not {str(answer)!r}.")
            is_boolean = choices[name] == list(BOOLEANS)
            checked[name] = BOOLEANS[text] if is_boolean else text
        return checked

    def own_answers(self, recorded: Mapping[str, Answer]) -> Answers:
        """Return the answers that a service of this version records. Raises `Refused`."""
        if set(recorded) != set(self.choices):
            names = ", ".join(sorted(set(recorded) ^ set(self.choices)))
            raise Refused(f"{ANSWERS} is of another template: {names} differ from {self.version}.")
        return self.checked(recorded)

    def described(self) -> str:
        """Return the choices as they are typed."""
        return ", ".join(
            f"{name}={'|'.join(values) or '<text>'}" for name, values in self.choices.items()
        )

    def render(self, answers: Mapping[str, Answer], into: Path) -> Path:
        """Return the folder of a service with these answers. Raises `Refused`."""
        pairs = [f"{name}={answer}" for name, answer in answers.items()]
        options = ["--no-input", "--default-config", "--output-dir", str(into)]
        result = subprocess.run(
            [*cookiecutter(into.parent), *options, str(self.folder), *pairs],
            capture_output=True,
            encoding="utf-8",
        )
        if result.returncode:
            reason = result.stderr.split("Traceback")[0].strip()
            raise Refused(f"Version {self.version} cannot be rendered: {reason}")
        return next(into.iterdir())


def as_typed(answer: Answer) -> str:
    """Return an answer as it is typed in a command."""
    return str(answer).lower() if isinstance(answer, bool) else answer


def cookiecutter(temporary: Path) -> list[str]:
    """Return the command of cookiecutter: of this Python, or by uv, or installed by pip."""
    if importlib.util.find_spec("cookiecutter"):
        return [sys.executable, "-m", "cookiecutter"]
    if shutil.which("uv"):
        return ["uv", "tool", "run", "--quiet", "--from", COOKIECUTTER, "cookiecutter"]
    environment = temporary / "environment"
    python = str(environment / "bin" / "python")
    if not environment.exists():
        venv.create(environment, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", COOKIECUTTER], check=True)
    return [python, "-m", "cookiecutter"]


def files(folder: Path) -> set[str]:
    """Return the paths of all files below a folder, with `/` between the parts."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def yours(render: Path) -> set[str]:
    """Return the files of a render whose first line begins with YOURS: the team's."""
    return {file for file in files(render) if MARK.match((render / file).read_bytes())}


def is_same(one: Path, other: Path) -> bool:
    """Say whether two files have the same text."""
    texts = [path.read_bytes().replace(b"\r\n", b"\n") for path in (one, other)]
    return texts[0] == texts[1]


def notes(folder: Path, before: str, after: str) -> str:
    """Return what an owner has to read between two versions: by hand first, then the changes."""
    first, last = version_number(before), version_number(after)
    by_hand = [
        text
        for version, text in sections(folder / "UPGRADING.md", "From ")
        if first <= version < last
    ]
    changes = [
        text for version, text in sections(folder / "CHANGELOG.md", "") if first < version <= last
    ]
    return "\n".join([*by_hand, *changes])


def sections(file: Path, prefix: str) -> list[tuple[tuple[int, ...], str]]:
    """Return the sections of a document whose titles are a prefix and a version."""
    parts = re.split(r"^(?=## )", file.read_text(encoding="utf-8"), flags=re.M)
    title = re.compile(rf"## {prefix}(\d+\.\d+\.\d+)\b")
    return [(version_number(found[1]), part) for part in parts if (found := title.match(part))]
