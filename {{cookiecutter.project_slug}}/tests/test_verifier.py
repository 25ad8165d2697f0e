# {% include 'verifier_tests/' ~ cookiecutter.validation_mode ~ '.py' %}
