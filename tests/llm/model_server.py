"""`transformers serve` on loopback: a real OpenAI-compatible server for a model's folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ANSWERED = '"POST /v1/chat/completions HTTP/1.1" 200'


class ModelServer:
    """Serves one model in a process of its own. It can be killed and started again at its address.

    log: what all its processes print, in order.
    """

    def __init__(self, model: Path, log: Path) -> None:
        self.model = model
        self.log = log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.process: subprocess.Popen | None = None
        self.seconds = 0.0  # of processor time that killed processes have used

    def start(self) -> None:
        """Start the process, and wait until it has loaded the model."""
        command = [Path(sys.executable).with_name("transformers"), "serve", "--host", "127.0.0.1",
                   "--port", str(self.port), "--device", "cpu", "--dtype", "float32", self.model]  # fmt: skip
        env = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        deadline = time.monotonic() + 300
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{self.log.read_text('utf-8')}")
            time.sleep(0.1)

    def is_up(self) -> bool:
        try:
            address = f"http://127.0.0.1:{self.port}/health"
            with urllib.request.urlopen(address, timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """End the process at once, in the middle of what it does."""
        assert self.process is not None
        self.process.kill()
        _, _, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = -9
        self.seconds += usage.ru_utime + usage.ru_stime

    def answers(self) -> int:
        """Return the number of chat requests that all its processes have answered."""
        return self.log.read_text("utf-8").count(ANSWERED)
