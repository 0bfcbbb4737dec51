"""A server that runs `python -m MODULE` and `python -u SCRIPT` in forks of one process.

That process has imported torch, so a job of a test's DAG starts in 0.2 s instead of 4. Only
installed packages are imported beforehand. Each job imports the project's sources itself, from its
working folder. It has its client's arguments, environment, threads and open files, passes its exit
status on, and is killed if its client ends first.

All forks of a server have its hash seed, hence the same order of sets. Outside of tests each job
has a random one. Tests that compare two runs of a DAG therefore use two servers, with
PYTHONHASHSEED 1 and 2 (`tests.dag.snakemake(hash_seed=2)`).

`python -m tests.fork_server FOLDER` serves until its standard input closes. FOLDER/bin/python is
the client: put FOLDER/bin first in PATH.
"""

import gc
import json
import os
import runpy
import socket
import sys
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path

PACKAGES = ("torch", "peft", "transformers.models.bert.modeling_bert", "bm25s", "snakemake.cli",
            "transformers.models.qwen3.modeling_qwen3", "pyarrow.parquet", "pandas", "scipy.stats",
            "matplotlib.pyplot", "typer", "torch.distributed.run")  # fmt: skip
FORK = get_context("fork")
CLIENT = """#!{python} -IS
import json, os, socket, sys
if sys.argv[1:2] not in (["-m"], ["-u"]):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"."], [0, 1, 2])
    server.sendall(json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    status = server.recv(1)
sys.exit(status[0] if status else 1)
"""


def run_job(words: list[str], folder: str, environment: dict[str, str], files: list[int]) -> None:
    """Run a module or a script as Python does, with the threads that its environment states."""
    import numpy as np
    import threadpoolctl
    import torch

    for target, file in enumerate(files):
        os.dup2(file, target)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    threads = int(environment.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    threadpoolctl.threadpool_limits(threads)
    torch.set_num_threads(threads)
    np.random.seed()  # noqa: NPY002 (a fork starts with its parent's state)
    sys.argv = words
    sys.path[:1] = [folder, *environment.get("PYTHONPATH", "").split(":")]
    if words[0].endswith(".py"):
        runpy.run_path(words[0], run_name="__main__")
    else:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def keep(connection: socket.socket) -> None:
    """Fork the job of one client, kill it where the client is gone, and pass its status on."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile().readline())
    job = FORK.Process(target=run_job, args=(*request, files))
    job.start()
    if job.sentinel not in wait([job.sentinel, connection]):  # the client has ended
        job.kill()
    job.join()
    status = job.exitcode
    with suppress(BrokenPipeError):
        connection.sendall(bytes([status if status >= 0 else 128 - status]))


def serve(folder: Path) -> None:
    address = str(folder / "socket")
    for name in PACKAGES:
        import_module(name)
    gc.freeze()
    listener = socket.create_server(address, family=socket.AF_UNIX)
    client = folder / "bin" / "python"
    client.parent.mkdir()
    client.write_text(CLIENT.format(python=sys.executable, address=address))
    client.chmod(0o755)
    print("ready", flush=True)
    while sys.stdin not in wait([listener, sys.stdin]):
        connection, _ = listener.accept()
        FORK.Process(target=keep, args=(connection,)).start()
        connection.close()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
