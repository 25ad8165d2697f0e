# {% include 'dev_main/' ~ ('webhooks' if cookiecutter.include_webhooks else 'plain') ~ ('_caching' if cookiecutter.include_caching else '') ~ '.py' %}
