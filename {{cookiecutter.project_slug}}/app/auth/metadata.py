"""Tells clients where to get tokens for this service (RFC 9728, protected resource metadata)."""

from urllib.parse import urlsplit

from fastapi import FastAPI
from pydantic import BaseModel

WELL_KNOWN = "/.well-known/oauth-protected-resource"


class ResourceMetadata(BaseModel):
    """The metadata of a protected resource (RFC 9728, section 2)."""

    resource: str
    authorization_servers: list[str] | None
    scopes_supported: list[str]
    bearer_methods_supported: list[str] = ["header"]


def metadata_path(resource: str) -> str:
    """Return where the metadata of the resource at the URL `resource` is (section 3.1)."""
    path = urlsplit(resource).path
    return WELL_KNOWN + ("" if path == "/" else path)


def metadata_url(resource: str) -> str:
    """Return the URL of the metadata, which challenges name (section 5.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{metadata_path(resource)}"


def add_metadata(app: FastAPI, resource: str, issuer: str | None) -> None:
    """Serve the metadata. `resource` is the public URL of this service."""

    async def read_metadata() -> ResourceMetadata:
        """Describe this service to clients that need a token for it."""
        return ResourceMetadata(
            resource=resource,
            authorization_servers=[issuer] if issuer else None,
            scopes_supported=scopes_of(app),
        )

    app.add_api_route(
        metadata_path(resource),
        read_metadata,
        response_model_exclude_none=True,
        include_in_schema=False,
    )


def scopes_of(app: FastAPI) -> list[str]:
    """Return the scopes that the documented routes of `app` need."""
    return sorted(
        {
            scope
            for operations in app.openapi()["paths"].values()
            for operation in operations.values()
            for requirement in operation.get("security", ())
            for scopes in requirement.values()
            for scope in scopes
        }
    )
