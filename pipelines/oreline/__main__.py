"""`python -m oreline`: the same as the command `oreline`."""

import sys

from oreline.cli import main

sys.exit(main())
