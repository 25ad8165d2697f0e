# {% include 'tokens/' ~ cookiecutter.validation_mode ~ '.py' %}
