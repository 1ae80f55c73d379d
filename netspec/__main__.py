"""``python -m netspec``."""

import os
import sys

from netspec.cli import main

code = main()
if "TORCHELASTIC_RUN_ID" in os.environ:  # one of several processes that train together
    from netspec.train.world import leave

    leave(code)
sys.exit(code)
