"""Reads settings from the environment, and says in words what is wrong with it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError


class InvalidSettings(Exception):
    """The service cannot run with this environment. One sentence per problem, a line each."""


class FeatureSettings(BaseSettings):
    """Base of a feature's settings. A method `contradictions` yields what does not go together."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=False,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def read(cls) -> Self:
        """Read the environment, then `.env`, then the files in the folder `SECRETS_DIR`.

        Raises `InvalidSettings` with the problems of all fields, or else all contradictions.
        """
        folder = os.environ.get("SECRETS_DIR", "").strip() or None
        if folder and not Path(folder).is_dir():
            raise InvalidSettings("SECRETS_DIR is no folder: set one with a file per variable.")
        try:
            settings = cls(_secrets_dir=folder)
        except ValidationError as error:
            sentences = [_sentence(cls, problem) for problem in error.errors()]
        except (OSError, SettingsError, UnicodeDecodeError) as error:
            raise InvalidSettings(f"The settings cannot be read: {error}.") from None
        else:
            # No validators of the model: with one wrong field or contradiction, others do not run.
            methods = [vars(kind).get("contradictions") for kind in cls.__mro__]
            sentences = [sentence for method in methods if method for sentence in method(settings)]
            if not sentences:
                return settings
        raise InvalidSettings("\n".join(dict.fromkeys(sentences)))

    @model_validator(mode="before")
    @classmethod
    def _drop_blanks(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Unset what holds only white space."""
        return {name: value for name, value in values.items() if str(value).strip()}


def _sentence(kind: type[FeatureSettings], problem: Mapping[str, Any]) -> str:
    """Return what is wrong with a variable and what to set, without its value."""
    name, wrong = str(problem["loc"][0]), problem["msg"].removeprefix("Value error, ")
    wrong = wrong.replace("Field required", "is missing").replace("Input should be", "must be")
    if problem["type"].endswith("_parsing"):
        wrong = wrong.partition(",")[0]  # what follows may show a part of the value
    text = kind.model_fields[name].description or "another value."
    return f"{name.upper()} {wrong}: set {text[:1].lower()}{text[1:]}"
