# {% include 'app/auth/principal/' ~ cookiecutter.__platform ~ '.py' %}
