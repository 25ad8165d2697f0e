"""YOURS: the settings of this service. No update touches this file. It imports nothing of `app`.

A field is the variable of its name in upper case:

    class TeamSettings(BaseSettings):
        invoice_url: str = Field(description="the URL of the invoice service")

A route reads it as `request.state.settings.invoice_url`.
"""

from pydantic_settings import BaseSettings


class TeamSettings(BaseSettings):
    """What the environment sets for this service only."""
