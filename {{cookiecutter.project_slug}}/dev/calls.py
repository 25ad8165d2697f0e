# {% include 'calls/' ~ ('sdk' if cookiecutter.validation_mode == 'sdk' else 'olympus') ~ '.py' %}
