# {% include 'wiring/' ~ ('caching' if cookiecutter.include_caching else 'plain') ~ '.py' %}
