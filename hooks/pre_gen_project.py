"""Refuses answers that do not give a working service. Reads them as data and writes nothing.

Each rule is one function, which returns what is wrong, or nothing. `problems` calls all of them.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

ANSWERS = r"""{{ cookiecutter | tojson }}"""

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SLUG_LENGTH = 60

DEVICES = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")
"""Names that Windows reserves for devices: no folder can have one of them there."""

DEPENDENCIES = frozenset(
    {
        "aiohttp",
        "aiosqlite",
        "cachetools",
        "fastapi",
        "fastapi-offline",
        "httptools",
        "httpx",
        "httpx-aiohttp",
        "httpx2",
        "jiter",
        "mypy",
        "opentelemetry-api",
        "prometheus-client",
        "psycopg",
        "pydantic",
        "pydantic-settings",
        "pytest",
        "pytest-cov",
        "python-jose",
        "redis",
        "ruff",
        "sqlalchemy",
        "starlette",
        "structlog",
        "trustme",
        "types-python-jose",
        "uvicorn",
        "uvloop",
        "websockets",
    }
)
"""The packages in the service's `pyproject.toml`. A project so named would depend on itself."""

EXAMPLES = {
    "project_name": "Widget Service",
    "description": "Keeps the list of widgets.",
    "author": "Platform Team",
}
"""The questions with a free answer, and the suggestion for an empty one."""

CONTROLS = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's controls, halves of surrogate pairs, line and paragraph separators."""

BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""These reorder the text around them, so that a reader sees other code than the interpreter.

Ordinary right-to-left text does not need them.
"""

JINJA = re.compile(r"\{(?=([#{]))|# (?=(\{%))")
"""Template code, which would be executed if the answer were rendered again."""

BROKEN_UP = {"{": "{ ", "# ": "#"}
"""Replacements for the suggestion, which are plain text."""

SHOWN = 60
"""The most characters of a bad value that are printed."""


class Problem(NamedTuple):
    """One bad answer: its value, the rule it breaks, and a valid suggestion."""

    field: str
    value: object
    rule: str
    suggestion: str

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > SHOWN:
            shown = f"{shown[:SHOWN]}... ({len(str(self.value))} characters)"
        return f"  {self.field}: {shown}\n    {self.rule}\n    try: {self.suggestion}"


def problems(answers: Mapping[str, object]) -> list[Problem]:
    """Return everything that is wrong with the answers, in the order of the questions."""
    found = []
    for field in ("project_name", "project_slug", "description", "author"):
        value = answers.get(field)
        if field == "project_slug":
            rule, suggestion = slug_rule(str(value)), suggest_slug(str(value))
        else:
            rule, suggestion = text_rule(value), suggest_text(field, value)
        if rule:
            found.append(Problem(field, value, rule, suggestion))
    return found


def slug_rule(slug: str) -> str | None:
    """Return the first rule that the slug breaks."""
    return (
        slug_grammar(slug) or slug_length(slug) or slug_of_a_device(slug) or slug_of_a_package(slug)
    )


def slug_grammar(slug: str) -> str | None:
    """It is the name of a folder, a distribution and a realm."""
    if not SLUG.fullmatch(slug):
        return "must be words of a-z and 0-9 joined by single hyphens, beginning with a letter"
    return None


def slug_length(slug: str) -> str | None:
    """Windows allows 260 characters for a whole path."""
    if len(slug) > SLUG_LENGTH:
        return f"must have at most {SLUG_LENGTH} characters"
    return None


def slug_of_a_device(slug: str) -> str | None:
    """Windows cannot create a folder of that name."""
    if DEVICES.fullmatch(slug):
        return "must not be the name of a Windows device"
    return None


def slug_of_a_package(slug: str) -> str | None:
    """An installer refuses a project that depends on a package of its own name."""
    if slug in DEPENDENCIES:
        return "must not be the name of a package that the service uses"
    return None


def text_rule(text: object) -> str | None:
    """Return the first rule that a free answer breaks."""
    if not isinstance(text, str):
        return "must be text"
    return text_blank(text) or text_controls(text) or text_edges(text) or text_jinja(text)


def text_blank(text: str) -> str | None:
    """An empty title or author is a mistake."""
    if not text.strip():
        return "must not be blank"
    return None


def text_controls(text: str) -> str | None:
    """One line of printable text is valid in TOML, JSON and Markdown, and hides nothing."""
    if any(unicodedata.category(character) in CONTROLS for character in text):
        return "must be one line without control characters"
    if BIDI_CONTROLS.search(text):
        return "must not hold characters that reorder the text around them"
    return None


def text_edges(text: str) -> str | None:
    """Files that repeat the answer would have blanks at the end of a line."""
    if text != text.strip():
        return "must not begin or end with a blank"
    return None


def text_jinja(text: str) -> str | None:
    """An update renders the answer again, and would execute it."""
    if found := JINJA.search(text):
        return f"must not hold {found[0] + (found[1] or found[2])!r}, which opens template code"
    return None


def suggest_slug(slug: str) -> str:
    """Return the nearest slug that breaks no rule."""
    plain = unicodedata.normalize("NFKD", slug).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    if not words or not words[0][0].isalpha():
        words.insert(0, "service")
    nearest = "-".join(words)[:SLUG_LENGTH].rstrip("-")
    return f"{nearest}-service" if slug_rule(nearest) else nearest


def suggest_text(field: str, text: object) -> str:
    """Return the nearest text that breaks no rule."""
    kept = "".join(
        " " if unicodedata.category(character) in CONTROLS else character
        for character in BIDI_CONTROLS.sub("", str(text or ""))
    )
    one_line = " ".join(kept.split())
    return JINJA.sub(lambda opening: BROKEN_UP[opening[0]], one_line) or EXAMPLES[field]


def main(answers: Mapping[str, object]) -> str | None:
    """Return the block to print when an answer is refused."""
    found = problems(answers)
    if not found:
        return None
    return "\n".join(["", "Refused, and nothing is written:", *map(str, found), ""])


if __name__ == "__main__":
    sys.exit(main(json.loads(ANSWERS)))
