"""A job ends with the Snakemake that started it.

Snakemake starts a job through a shell. If Snakemake is killed, or stopped by a signal to itself
alone, the job would go on: sending requests to an endpoint, or writing beside the same job of the
next run. The rules name Snakemake's process in `RESRANK_OWNER`; a job by hand has no owner.
"""

from __future__ import annotations

import os
import select
import signal
from threading import Thread

VARIABLE = "RESRANK_OWNER"
EVERY = 500  # milliseconds between two checks of the parent
HAS_PIDFD = hasattr(os, "pidfd_open")  # Linux has it, other systems do not


def end_with_owner() -> None:
    """Send this process SIGTERM once its owner, or the shell between the two, is gone.

    Does nothing on systems without pidfd (only Linux has it), or where the owner is not visible, as
    from within a container.
    """
    named = os.environ.get(VARIABLE, "")
    if not named.isdecimal() or not HAS_PIDFD:
        return
    _end_with(int(named))


def end_with_parent() -> None:
    """Send this process SIGTERM once the process that started it is gone, even if it was killed."""
    if HAS_PIDFD:
        _end_with(os.getppid())


def _end_with(process: int) -> None:
    try:
        owner = os.pidfd_open(process)
    except OSError:
        return
    Thread(target=_watch, args=(owner, os.getppid()), daemon=True).start()


def _watch(owner: int, parent: int) -> None:
    ended = select.poll()
    ended.register(owner, select.POLLIN)
    while os.getppid() == parent and not ended.poll(EVERY):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
