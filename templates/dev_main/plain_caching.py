"""The local identity provider on the command line: `python -m dev --help`."""

import sys

from dev import remembered
from dev.commands import main

if __name__ == "__main__":
    sys.exit(main(more_commands=[remembered.add_command]))
