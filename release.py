"""Makes a release: `make release VERSION=1.2.0`. It commits and tags; it does not push."""

import argparse
import ast
import datetime
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from update.template import ROOT, Answers, Refused, Template, git, version_number

RECORD = Path("tests/fast/expected/released.json")
"""The choices and the settings of the last release. A test compares them with the tree."""

EXAMPLES: dict[str, Answers] = {
    "introspection-caching": {"validation_mode": "introspection", "include_caching": True},
    "jwt-webhooks": {
        "validation_mode": "jwt",
        "include_caching": False,
        "include_webhooks": True,
    },
    "sdk-caching-webhooks": {
        "validation_mode": "sdk",
        "include_caching": True,
        "include_webhooks": True,
    },
}
"""The services in `examples/`, for people who read before they run anything."""


def main(arguments: list[str]) -> int:
    """Run the command. Return 1 if it was refused."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--all", action="store_true", help="run the slow tests too")
    options = parser.parse_args(arguments)
    targets = ["lint", "test" if options.all else "test-fast"]
    try:
        release(ROOT, options.version, lambda: run_tests(ROOT, targets))
    except Refused as reason:
        print(reason, file=sys.stderr)
        return 1
    print(f"Tagged. Publish it: git push --atomic origin HEAD v{options.version}")
    return 0


def run_tests(root: Path, targets: list[str]) -> None:
    """Run make targets. Raises `Refused` if one fails."""
    if subprocess.run(["make", *targets], cwd=root).returncode:
        raise Refused(f"`make {' '.join(targets)}` failed, so nothing was changed.")


def release(root: Path, version: str, test: Callable[[], None]) -> None:
    """Check everything, write what a release consists of, commit and tag. Raises `Refused`."""
    template = Template(commit="HEAD", folder=root)
    check(root, template.version, version)
    test()
    for file, pattern, replacement in edits(version):
        text = (root / file).read_text(encoding="utf-8")
        edited = re.sub(pattern, replacement, text, count=1, flags=re.M)
        (root / file).write_text(edited, encoding="utf-8")
    text = json.dumps(describe(template), indent=2, sort_keys=True) + "\n"
    (root / RECORD).write_text(text, encoding="utf-8")
    write_examples(template, root / "examples")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", f"Release {version}")
    git(root, "tag", "--annotate", f"v{version}", "-m", f"Release {version}")


def check(root: Path, present: str, version: str) -> None:
    """Refuse a release that would be wrong. Raises `Refused`."""
    if version.startswith("v") or version_number(version) <= version_number(present):
        raise Refused(f"The version must be a higher one than {present}, such as 1.2.0.")
    if git(root, "status", "--porcelain"):
        raise Refused("There are changes that are not committed. Commit or stash them first.")
    if git(root, "tag", "--list", f"v{version}"):
        raise Refused(f"There is a tag v{version} already.")
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(r"^## Unreleased\n+(?!## )\S", changes, flags=re.M):
        raise Refused("CHANGELOG.md has nothing under `## Unreleased`.")


def edits(version: str) -> list[tuple[str, str, str]]:
    """Return what changes in which file: a pattern for one place, and its replacement."""
    today = datetime.datetime.now(datetime.UTC).date()
    by_hand = f"## From {version}\n\nNothing has to be done by hand.\n\n"
    return [
        ("cookiecutter.json", r'("_template_version": )".*"', rf'\1"{version}"'),
        ("pyproject.toml", r'^version = ".*"', f'version = "{version}"'),
        ("CHANGELOG.md", r"^## Unreleased\n", f"## Unreleased\n\n## {version} ({today})\n"),
        ("UPGRADING.md", r"^(?=## From )", by_hand),
    ]


def describe(template: Template) -> dict[str, object]:
    """Return the choices of the template, and the settings of services with and without options."""
    context = {name: value for name, value in template.context.items() if name[0] != "_"}
    settings = {}
    for mode in template.choices["validation_mode"]:
        for options in (True, False):
            switches = {name: options for name, value in context.items() if value in (True, False)}
            with tempfile.TemporaryDirectory() as folder:
                into = Path(folder) / "service"
                service = template.render({**switches, "validation_mode": mode}, into)
                source = (service / "app" / "settings.py").read_text(encoding="utf-8")
            settings[f"{mode} {'with' if options else 'without'} options"] = settings_of(source)
    return {"choices": context, "settings": settings}


def settings_of(source: str) -> dict[str, dict[str, str]]:
    """Return the default and the limits of each setting, as `app/settings.py` writes them."""
    found = {}
    for group in ast.parse(source).body:
        for field in group.body if isinstance(group, ast.ClassDef) else []:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                found[field.target.id] = described(field.value)
    return found


def described(value: ast.expr | None) -> dict[str, str]:
    """Return the default of a field, if it has one, and its limits."""
    if value is None:
        return {}
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) == "Field"):
        return {"default": ast.unparse(value)}
    limits = {str(each.arg): ast.unparse(each.value) for each in value.keywords}
    return {"default": ast.unparse(value.args[0]), **limits} if value.args else limits


def write_examples(template: Template, folder: Path) -> None:
    """Render the example services again."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, answers in EXAMPLES.items():
        with tempfile.TemporaryDirectory() as temporary:
            shutil.copytree(template.render(answers, Path(temporary) / "example"), folder / name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
