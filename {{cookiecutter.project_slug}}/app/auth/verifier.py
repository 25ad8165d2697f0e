# {% include 'verifier/' ~ cookiecutter.validation_mode ~ '.py' %}
