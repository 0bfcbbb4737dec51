"""A Slurm of one node on this machine, by Debian's packages, for as long as a test wants it.

It listens on the loopback interface alone. Its two graphics cards are /dev/null: jobs are given
them and wait for them, nothing computes there. Without control groups, memory is watched by polling
once a second; cores and devices are counted, not fenced.
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

SHARED = Path("/etc/slurm/slurm.conf")  # the one place where a job's own srun looks
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
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=64000 Gres=gpu:2
PartitionName=cpu Nodes={host} Default=YES
PartitionName=gpu Nodes={host}
"""


def missing() -> str | None:
    """Why no Slurm can be started here; None if one can."""
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return "no executor plugin: pip install -e '.[slurm]'"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)}: apt-get install slurmctld slurmd slurm-client munge"
    if os.geteuid() != 0:
        return f"a Slurm is started by root, who may write {SHARED}"
    if SHARED.exists():
        return f"{SHARED} is there: this machine belongs to a cluster"
    return None


def said(*words: str) -> str:
    """What a command prints."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Start it, with all its files in `folder`; yields the node's name."""
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
        SHARED.unlink(missing_ok=True)  # left by a test that was killed: it points nowhere
        SHARED.symlink_to(conf)
        stack.callback(SHARED.unlink)
        stack.enter_context(_daemon(munged, folder))
        _until((folder / "munge.socket").exists)
        stack.enter_context(_daemon(["slurmctld", "-D", "-c", "-f", str(conf)], folder))
        stack.enter_context(_daemon(["slurmd", "-D", "-c", "-f", str(conf)], folder))
        _until(lambda: "idle" in _asked("sinfo", "--noheader", "--format=%T"))
        stack.callback(_asked, "scancel", "--user=root", "--signal=KILL")
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
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in held]


def _asked(*words: str) -> str:
    """What a command prints, if anything answers it."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def _until(true, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"no Slurm within {seconds:.0f} s")
        time.sleep(0.1)
