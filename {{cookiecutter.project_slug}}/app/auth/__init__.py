# {% include 'app/auth/__init__/' ~ ('caching' if cookiecutter.include_caching else 'plain') ~ '.py' %}
