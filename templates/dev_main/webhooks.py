"""The local identity provider on the command line: `python -m dev --help`."""

import sys

from dev.commands import main
from dev.deliveries import add_command, deliveries

if __name__ == "__main__":
    sys.exit(main(more_commands=[add_command], more_calls=[deliveries]))
