# {% include 'wiring/plain.py' %}
