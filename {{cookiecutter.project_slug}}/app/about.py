"""How this service names itself: in its OpenAPI document and in its challenges."""

TITLE = "{{ cookiecutter.__project_name_escaped }}"
DESCRIPTION = "{{ cookiecutter.__description_escaped }}"
VERSION = "0.1.0"
REALM = "{{ cookiecutter.project_slug }}"
