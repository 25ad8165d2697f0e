# {% include 'tests/auth/test_verifier/' ~ cookiecutter.validation_mode ~ '.py' %}
