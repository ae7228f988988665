"""`python -m scan_jax.main --config=...` is `python -m scan_jax train --config=...`."""

import sys

from scan_jax.commands.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    sys.exit(main())
