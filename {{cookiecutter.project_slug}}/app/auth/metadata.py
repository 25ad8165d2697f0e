"""Tells clients where to get tokens for this service (RFC 9728, protected resource metadata)."""

from urllib.parse import urlsplit

from fastapi import FastAPI
from pydantic import BaseModel


class ResourceMetadata(BaseModel):
    """The metadata of a protected resource (RFC 9728, section 2)."""

    resource: str
    authorization_servers: list[str] | None
    scopes_supported: list[str]
    bearer_methods_supported: list[str] = ["header"]


def metadata_url(resource: str) -> str:
    """Return where the metadata of the resource at the URL `resource` is (section 3.1)."""
    parts = urlsplit(resource)
    path = "/.well-known/oauth-protected-resource" + ("" if parts.path == "/" else parts.path)
    return f"{parts.scheme}://{parts.netloc}{path}"


def add_metadata(app: FastAPI, resource: str, issuer: str | None) -> None:
    """Serve the metadata. `resource` is the public URL of this service."""
    path = urlsplit(metadata_url(resource)).path

    @app.get(path, response_model_exclude_none=True, include_in_schema=False)
    async def read_metadata() -> ResourceMetadata:
        return ResourceMetadata(
            resource=resource,
            authorization_servers=[issuer] if issuer else None,
            scopes_supported=scopes_of(app),
        )


def scopes_of(app: FastAPI) -> list[str]:
    """Return the scopes that the documented routes of `app` need."""
    operations = [each for path in app.openapi()["paths"].values() for each in path.values()]
    requirements = [each for operation in operations for each in operation.get("security", ())]
    return sorted({scope for each in requirements for scopes in each.values() for scope in scopes})
