"""Tells clients where to get tokens for this service (RFC 9728, protected resource metadata)."""

from urllib.parse import urlsplit

from fastapi import FastAPI


def metadata_url(resource: str) -> str:
    """Return where the metadata of the resource at the URL `resource` is (section 3.1)."""
    parts = urlsplit(resource)
    path = "/.well-known/oauth-protected-resource" + ("" if parts.path == "/" else parts.path)
    return f"{parts.scheme}://{parts.netloc}{path}"


def add_metadata(app: FastAPI, resource: str, issuer: str | None) -> None:
    """Serve the metadata (section 2). `resource` is the public URL of this service."""

    @app.get(urlsplit(metadata_url(resource)).path, include_in_schema=False)
    async def read_metadata() -> dict[str, object]:
        return {
            "resource": resource,
            **({"authorization_servers": [issuer]} if issuer else {}),
            "scopes_supported": scopes_of(app),
            "bearer_methods_supported": ["header"],
        }


def scopes_of(app: FastAPI) -> list[str]:
    """Return the scopes that the documented routes of `app` need."""
    operations = [each for path in app.openapi()["paths"].values() for each in path.values()]
    requirements = [each for operation in operations for each in operation.get("security", ())]
    return sorted({scope for each in requirements for scopes in each.values() for scope in scopes})
