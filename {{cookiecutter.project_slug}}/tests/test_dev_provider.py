# {% include 'provider_tests/' ~ cookiecutter.validation_mode ~ '.py' %}
