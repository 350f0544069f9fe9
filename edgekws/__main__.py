"""`python -m edgekws`: the command line."""

import sys

from edgekws.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
