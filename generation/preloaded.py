"""What every limited child finds imported, since its fork server imports it once for all.

For the fork server and its children alone: it speaks for the whole process. NumPy and SciPy would
start a thread on every core, and a limited child would lose 40 MB of its address space to each.
"""

import os
from importlib import import_module

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
for _name in ("children", "encoding", "intake"):
    import_module(f"generation.{_name}")
