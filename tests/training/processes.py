"""Run a training script over several processes, started by a launcher."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.dag import ENVIRONMENT, fork_server


def over_processes(
    count: int, script: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in `count` processes of one thread each, and return its output."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               "--nproc-per-node", str(count), str(script), *words]  # fmt: skip
    env = ENVIRONMENT | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | environment
    if server := fork_server():
        command[0] = env["PYTHON_EXEC"] = f"{server}/python"
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )
