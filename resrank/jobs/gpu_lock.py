"""A GPU of its own for every job, on a machine with several."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICES = Path("/dev")  # a container has its own cards alone there; torch would take seconds
_held: list[IO[str]] = []


def take_card() -> None:
    """Let this process see one card alone, the first that no other job of this user holds.

    It is held until the process ends, however that is. To be called before torch is imported.
    Nothing is done with fewer than two cards, under a launcher, which hands out cards itself, and
    where every card is held: then the first serves two jobs, as without this.
    """
    cards = _cards()
    if len(cards) < 2 or "LOCAL_RANK" in os.environ:
        return
    for card in cards:
        name = f"resrank-card-{os.getuid()}-{card.replace('/', '-')}.lock"
        lock = (Path(tempfile.gettempdir()) / name).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _held.append(lock)
        os.environ[VISIBLE] = card
        return


def _cards() -> list[str]:
    """The cards that this process may see, as the variable names them."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return [card.strip() for card in visible.split(",") if card.strip()]
    return [str(number) for number in range(len(list(DEVICES.glob("nvidia[0-9]*"))))]
