"""A Slurm cluster of one node on this machine, from Debian's packages, for the length of a test.

It listens only on the loopback interface. Its two GPUs are /dev/null and /dev/zero: jobs wait for
them and receive them, but compute nothing there. Without control groups, Slurm polls memory once
per second, and counts cores and devices without confining jobs to them.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

SHARED = Path("/etc/slurm/slurm.conf")  # the only place where srun within a job looks
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
CONF = """\
ClusterName=resrank
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=0
MinJobAge=3600
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=64000 Gres=gpu:2
PartitionName=cpu Nodes={host} Default=YES
PartitionName=gpu Nodes={host}
"""


def missing() -> str | None:
    """Return the reason why Slurm cannot be started here, or None if it can."""
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return "no executor plugin: pip install -e '.[slurm]'"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)}: apt-get install slurmctld slurmd slurm-client munge"
    if os.geteuid() != 0:
        return f"Slurm must be started by root, who may write {SHARED}"
    if SHARED.exists():
        return f"{SHARED} exists: this machine belongs to a cluster"
    return None


def output_of(*words: str) -> str:
    """Run a command, which must succeed, and return its output."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run Slurm in the block, with all its files in `folder`; yield the node's name."""
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=host, folder=folder, ports=_free_ports(2)))
    (folder / "gres.conf").write_text(
        "".join(f"NodeName={host} Name=gpu File=/dev/{name}\n" for name in ("null", "zero"))
    )
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    munged = ["munged", "--foreground", "--force", f"--key-file={key}"]
    munged += [f"--{what}={folder}/munge.{end}" for what, end in
               (("socket", "socket"), ("pid-file", "pid"), ("seed-file", "seed"))]  # fmt: skip
    with ExitStack() as stack:
        SHARED.unlink(missing_ok=True)  # a dangling link left by a killed test
        SHARED.symlink_to(conf)
        stack.callback(SHARED.unlink)
        stack.enter_context(_daemon(munged, folder))
        _wait_until((folder / "munge.socket").exists)
        stack.enter_context(_daemon(["slurmctld", "-D", "-c", "-f", str(conf)], folder))
        stack.enter_context(_daemon(["slurmd", "-D", "-c", "-f", str(conf)], folder))
        _wait_until(lambda: "idle" in _output_if_any("sinfo", "--noheader", "--format=%T"))
        stack.callback(_output_if_any, "scancel", "--user=root", "--signal=KILL")
        yield host


@contextmanager
def _daemon(words: list[str], folder: Path) -> Iterator[None]:
    with (folder / f"{words[0]}.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [bound.getsockname()[1] for bound in sockets]


def _output_if_any(*words: str) -> str:
    """Run a command, which may fail, and return its output."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def _wait_until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"Slurm did not start within {seconds:.0f} s")
        time.sleep(0.1)
