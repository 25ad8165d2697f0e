# {% include 'tests/test_openapi/' ~ cookiecutter.__platform ~ '.py' %}
