"""How this service names itself in its OpenAPI document, in its challenges and in its log."""

TITLE = "{{ cookiecutter.__project_name_escaped }}"
DESCRIPTION = "{{ cookiecutter.__description_escaped }}"
VERSION = "0.1.0"
REALM = "{{ cookiecutter.project_slug }}"
TEMPLATE = {
    "version": "{{ cookiecutter._template_version }}",
    "validation_mode": "{{ cookiecutter.validation_mode }}",
    "include_caching": "{{ cookiecutter.include_caching | lower }}",
    "include_webhooks": "{{ cookiecutter.include_webhooks | lower }}",
}
"""What this service was made from."""
