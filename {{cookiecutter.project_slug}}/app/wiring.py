# {% include 'wiring/' ~ ('caching' if cookiecutter.include_caching else 'plain') ~ ('_webhooks' if cookiecutter.include_webhooks else '') ~ '.py' %}
