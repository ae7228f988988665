"""`python -m scan_jax COMMAND ...` is `scan-jax COMMAND ...`."""

import sys

from scan_jax.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
