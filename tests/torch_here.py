"""Where the tests find torch: in a folder of its own, never in the environment (see the Makefile)."""

import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(sys.prefix) / "torch"


def require_torch() -> dict[str, str]:
    """Give the environment of a process that has torch. Without torch: fails when CI=true, skips elsewhere."""
    folder = Path(os.environ.get("ASCOLTO_TEST_TORCH") or FOLDER)
    if not (folder / "torch" / "__init__.py").exists():
        reason = f"torch is not in {folder}: make test puts it there"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    # transformers must not ask the hub while a test runs
    return {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
