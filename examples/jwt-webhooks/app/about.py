"""How this service names itself in its OpenAPI document, in its challenges and in its log."""

TITLE = "Widget Service"
DESCRIPTION = "The HTTP API of Widget Service, for callers with an OAuth 2.0 access token."
VERSION = "0.1.0"
REALM = "widget-service"
TEMPLATE = {
    "version": "1.0.1",
    "validation_mode": "jwt",
    "include_caching": "false",
    "include_webhooks": "true",
}
"""What this service was made from."""
