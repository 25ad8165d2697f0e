# {% include 'variables/' ~ cookiecutter.validation_mode ~ '.py' %}
