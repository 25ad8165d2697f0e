# {% include 'routes/' ~ ('sdk' if cookiecutter.validation_mode == 'sdk' else 'olympus') ~ ('_webhooks' if cookiecutter.include_webhooks else '') ~ '.py' %}
