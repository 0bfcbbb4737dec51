"""A scheduler for this machine, for an executor that calls a scheduler's commands.

`submit QUEUE MEMORY CORES SCRIPT` starts a script in the background and prints its job number.
`status NUMBER` prints the job's state. Both keep their files in the folder that QUEUE_BOOKS names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from resrank.io.atomic import atomic_file

WRAPPED = 'bash "$1" > "$2.log" 2>&1; echo $? > "$2.part" && mv "$2.part" "$2.ended"'


def submit(books: Path, request: list[str], script: str) -> int:
    """Start a script in a new session and return the job's number."""
    number = len(list(books.glob("*.request")))
    job = books / str(number)
    process = subprocess.Popen(
        ["bash", "-c", WRAPPED, "job", script, str(job)],
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with atomic_file(job.with_suffix(".request")) as part:
        part.write_text(" ".join([*request, str(process.pid)]))
    return number


def status(books: Path, number: str) -> str:
    """Return "running", "success" or "failed".

    A job whose session was killed before it wrote its exit status has failed.
    """
    ended = books / f"{number}.ended"
    alive = running(int((books / f"{number}.request").read_text().split()[-1]))
    if ended.exists():
        return "success" if ended.read_text().strip() == "0" else "failed"
    return "running" if alive else "failed"


def running(process: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    BOOKS = Path(os.environ["QUEUE_BOOKS"])
    verb, *words = sys.argv[1:]
    print(submit(BOOKS, words[:-1], words[-1]) if verb == "submit" else status(BOOKS, words[0]))
