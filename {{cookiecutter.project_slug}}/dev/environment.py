# {% include 'dev/environment/' ~ cookiecutter.validation_mode ~ ('_webhooks' if cookiecutter.include_webhooks else '') ~ '.py' %}
