"""The local identity provider on the command line: `python -m dev --help`."""

import sys

from dev import deliveries, remembered
from dev.commands import main
from dev.pushed import pushed

COMMANDS = [deliveries.add_command, remembered.add_command]
CALLS = [deliveries.deliveries, pushed]

if __name__ == "__main__":
    sys.exit(main(more_commands=COMMANDS, more_calls=CALLS))
