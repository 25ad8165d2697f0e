# {% include 'openapi_tests/' ~ ('sdk' if cookiecutter.validation_mode == 'sdk' else 'olympus') ~ '.py' %}
