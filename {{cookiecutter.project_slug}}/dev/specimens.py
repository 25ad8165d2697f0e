# {% include 'specimens/' ~ cookiecutter.validation_mode ~ '.py' %}
