# {% include 'dev/provider/' ~ cookiecutter.validation_mode ~ '.py' %}
