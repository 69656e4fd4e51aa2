"""``python -m skdp``: the command line."""

import sys

from skdp.cli import main

sys.exit(main())
