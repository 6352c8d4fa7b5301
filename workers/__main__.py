"""``python -m workers``: one worker."""

from __future__ import annotations

import os
import sys

from workers.main import main

code = main()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)  # the SDK may abort the interpreter's own shutdown
