"""Where the repository is and, on machines that have them, the real photos and weights."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The folder of real photos and weights, or None: tests that need it are left out.
MATERIAL = os.environ.get("ALEXNET_TF_MATERIAL")
