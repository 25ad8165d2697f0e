"""Choices and settings are an interface: a service of the last release can take an update."""

import ast
import json
from collections.abc import Iterator

import pytest

from release import RECORD, settings_of
from tests.combinations import OPTIONS, QUESTIONS, ROOT, Answers
from tests.project import Bake

RELEASED = json.loads((ROOT / RECORD).read_text(encoding="utf-8"))

LAXER_IF_MORE = {
    "cache_negative_ttl",
    "cache_ttl",
    "clock_leeway",
    "inbox_retention_days",
    "request_max_bytes",
    "webhook_max_bytes",
}
LAXER_IF_LESS = {"revocation_ttl"}
"""Defaults that may become stricter. No other default may change at all."""

BREAKING: dict[str, str] = {}
"""What the next major release changes, with the reason. Each is in `UPGRADING.md` too."""

Described = dict[str, dict[str, str]]


def problems(old: Described, new: Described) -> Iterator[str]:
    """Yield what an update would break, or make laxer without a word."""
    for name, before in old.items():
        after = new.get(name)
        if name in BREAKING or before == after:
            continue
        if after is None:
            yield f"{name} is gone"
        elif limits(before) != limits(after):
            yield f"{name} has other limits"
        elif "default" not in after:
            yield f"{name} is required"
        elif not is_stricter(name, before.get("default", ""), after["default"]):
            yield f"{name} has a laxer default"
    yield from (
        f"{name} is required" for name in new if name not in old and "default" not in new[name]
    )


def limits(setting: dict[str, str]) -> dict[str, str]:
    """Return everything but the default."""
    return {key: value for key, value in setting.items() if key != "default"}


def is_stricter(name: str, before: str, after: str) -> bool:
    """Say whether a default is a stricter number than before."""
    if name not in LAXER_IF_MORE | LAXER_IF_LESS or not before:
        return False
    old, new = ast.literal_eval(before), ast.literal_eval(after)
    return bool(new < old if name in LAXER_IF_MORE else new > old)


@pytest.mark.parametrize("mode", RELEASED["choices"]["validation_mode"])
@pytest.mark.parametrize("options", [True, False])
def test_settings_are_those_of_the_last_release(bake: Bake, mode: str, options: bool) -> None:
    """With all options, and without any."""
    switches = {name: options for name, values in OPTIONS.items() if True in values}
    answers: Answers = {**switches, "validation_mode": mode}
    new = settings_of(bake(**answers).read("app/settings.py"))
    old = RELEASED["settings"][f"{mode} {'with' if options else 'without'} options"]

    assert "clock_leeway" in new
    assert list(problems(old, new)) == []


def test_choices_are_those_of_the_last_release() -> None:
    """A recorded answer that the template no longer knows stops every update."""
    for question, released in RELEASED["choices"].items():
        if question in BREAKING:
            continue
        present = QUESTIONS[question]
        if isinstance(released, list):
            assert set(present) >= set(released), question
            assert present[0] == released[0], f"{question} has another default"
        else:
            assert present == released, f"{question} has another default"


def test_breaking_changes_are_described() -> None:
    """An owner of a service reads what to do."""
    upgrading = (ROOT / "UPGRADING.md").read_text(encoding="utf-8")

    assert [name for name in BREAKING if f"`{name}`" not in upgrading.lower()] == []


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        ({}, ["clock_leeway is gone"]),
        ({"leeway": {"default": "10"}}, ["clock_leeway is gone"]),
        ({"clock_leeway": {"default": "20", "le": "60"}}, ["clock_leeway has a laxer default"]),
        ({"clock_leeway": {"default": "5", "le": "60"}}, []),
        ({"clock_leeway": {"default": "10", "le": "90"}}, ["clock_leeway has other limits"]),
        ({"clock_leeway": {"le": "60"}}, ["clock_leeway is required"]),
    ],
)
def test_a_change_is_found(after: Described, problem: list[str]) -> None:
    """Renamed, laxer, wider or required."""
    before: Described = {"clock_leeway": {"default": "10", "le": "60"}}

    assert list(problems(before, after)) == problem


def test_a_new_setting_is_optional() -> None:
    """A service that is updated starts with the environment that it has."""
    assert list(problems({}, {"new": {"ge": "1"}})) == ["new is required"]
    assert list(problems({}, {"new": {"default": "1"}})) == []
    assert list(problems({"key": {}}, {"key": {"default": "''"}})) == ["key has a laxer default"]


def test_settings_are_read_from_the_source() -> None:
    """As the classes of a service write them."""
    fields = ["a: int", "b: bool = False", "c: int = Field(1, ge=0)", "d: int = Field(gt=2)"]
    source = "\n    ".join(["class A(B):", *fields])

    assert settings_of(source) == {
        "a": {},
        "b": {"default": "False"},
        "c": {"default": "1", "ge": "0"},
        "d": {"gt": "2"},
    }
