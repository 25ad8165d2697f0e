"""How this service names itself. The words are in `about.toml`."""

import tomllib
from importlib import resources

from pydantic import BaseModel


class About(BaseModel):
    """The service's title and description in OpenAPI, and its realm in challenges."""

    title: str
    realm: str
    description: str
    version: str


def read_about() -> About:
    """Read `about.toml`, which stands beside this module."""
    text = resources.files("app").joinpath("about.toml").read_text(encoding="utf-8")
    return About.model_validate(tomllib.loads(text))
