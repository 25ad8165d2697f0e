# {% include 'dev_main/' ~ ('webhooks' if cookiecutter.include_webhooks else 'plain') ~ '.py' %}
