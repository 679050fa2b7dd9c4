"""`python -m spikedaq.cli` is the command `spikedaq`."""

import sys

from spikedaq.cli.main import main

sys.exit(main())
