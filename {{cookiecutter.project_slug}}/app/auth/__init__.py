# {% include 'auth/' ~ ('caching' if cookiecutter.include_caching else 'plain') ~ '.py' %}
