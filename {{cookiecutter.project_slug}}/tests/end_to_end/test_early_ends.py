# {% include 'end_to_end/' ~ cookiecutter.validation_mode ~ '.py' %}
