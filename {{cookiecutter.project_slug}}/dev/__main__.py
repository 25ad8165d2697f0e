"""The local identity provider on the command line: `python -m dev --help`."""

import sys
from collections.abc import Callable

from dev.commands import Commands, main  # {%- if cookiecutter.include_webhooks +%}
from dev.deliveries import add_send, deliveries  # {%- endif +%}
from dev.demo import Calls  # {%- if cookiecutter.__revocations +%}
from dev.pushed import pushed  # {%- endif -%} # {%- if cookiecutter.include_caching +%}
from dev.remembered import add_remembered  # {%- endif +%}

COMMANDS: list[Callable[[Commands], None]] = []
CALLS: list[Calls] = []
# {% if cookiecutter.include_webhooks %}
COMMANDS.append(add_send)
CALLS.append(deliveries)
# {% endif %}
# {% if cookiecutter.__revocations %}
CALLS.append(pushed)
# {% endif %}
# {% if cookiecutter.include_caching %}
COMMANDS.append(add_remembered)
# {% endif %}

if __name__ == "__main__":
    sys.exit(main(more_commands=COMMANDS, more_calls=CALLS))
