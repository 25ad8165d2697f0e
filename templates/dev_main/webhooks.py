"""The local identity provider on the command line: `python -m dev --help`."""

import sys

from dev import deliveries
from dev.commands import main

if __name__ == "__main__":
    sys.exit(main(more_commands=[deliveries.add_command], more_calls=[deliveries.deliveries]))
