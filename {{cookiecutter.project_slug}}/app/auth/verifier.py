# {% include 'app/auth/verifier/' ~ cookiecutter.validation_mode ~ '.py' %}
