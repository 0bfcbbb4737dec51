"""Where a killed training run takes up again: weights, optimiser, random state, as safetensors.

A run that resumes ends with the weights of one that was never killed, bit for bit on one device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from resrank.io.atomic import atomic_file
from resrank.io.seals import BLANK, SEAL, Damaged, check, seal
from resrank.training.processes import processes, put, spread_like


class Checkpoints:
    """One file a phase under `folder`, written every `SECONDS` and at the phase's end; less often
    where writing takes long.

    key: a hash of all that training depends on; a file of another key is never resumed from.
    """

    SECONDS = 60.0
    PAUSE = 10.0  # times as long between two writes as one takes, at least

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.key = key
        self.run = processes()
        self._last = time.monotonic()
        self._took = 0.0

    def resume(
        self,
        phase: str,
        named: Mapping[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        extra: dict[str, str],
    ) -> int:
        """Load the phase's state, if there is one; returns the number of steps it has done.

        extra: text values of the caller's, replaced by those that were saved. Raises Damaged if
        the file is not as it was written.
        """
        path = self._path(phase)
        if not path.is_file():
            return 0
        self._check(path)
        with safe_open(path, "pt") as file:
            about = file.metadata()
            if about["key"] != self.key:
                return 0
            names = list(file.keys())
            with torch.no_grad():
                for name, parameter in named.items():
                    put(parameter, file.get_tensor(f"weights.{name}"))
            _load_optimizer(optimizer, names, file.get_tensor)
            torch.set_rng_state(file.get_tensor("random"))
            if "random.cuda" in names and torch.cuda.is_available():
                torch.cuda.set_rng_state(file.get_tensor("random.cuda"))
        extra.update({name: about[name] for name in extra})
        return int(about["step"])

    def save(
        self,
        phase: str,
        step: int,
        steps: int,
        named: Mapping[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        extra: Mapping[str, str],
    ) -> None:
        """Write the state after `step` of `steps`, if it is time to."""
        start = time.monotonic()
        due = step == steps or start - self._last >= max(self.SECONDS, self.PAUSE * self._took)
        if not self.run.from_main(float(due)):
            return
        tensors: dict[str, Tensor] = {"random": torch.get_rng_state()}
        if torch.cuda.is_available():
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        states = optimizer.state_dict()["state"].items()
        tensors |= self.run.on_main((f"weights.{n}", p) for n, p in named.items())
        tensors |= self.run.on_main(
            (f"optimizer.{place}.{k}", v) for place, state in states for k, v in state.items()
        )
        self._write(phase, tensors, {"key": self.key, "step": str(step), **extra})
        self._last = time.monotonic()
        self._took = self._last - start

    def write(self, phase: str, named: Mapping[str, nn.Parameter]) -> None:
        """Keep weights alone."""
        self._write(phase, self.run.on_main(named.items()), {"key": self.key})

    def read(self, phase: str, named: Mapping[str, nn.Parameter]) -> None:
        """Load weights that `write` kept. Raises Damaged if they are not as they were written."""
        path = self._path(phase)
        self._check(path)
        with safe_open(path, "pt") as file, torch.no_grad():
            for name, parameter in named.items():
                put(parameter, file.get_tensor(name))

    def _write(self, phase: str, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
        """One process writes; none goes on before it has."""
        if self.run.is_main:
            with atomic_file(self._path(phase)) as partial:
                save_file(tensors, partial, {SEAL: BLANK, **about})
                seal(partial)
        self.run.wait()

    def _check(self, path: Path) -> None:
        """Every byte, before any is taken over."""
        advice = f"delete {self.folder}, and the training begins anew"
        try:
            check(path, advice)
            with safe_open(path, "pt"):
                pass
        except SafetensorError as error:
            raise Damaged(path, error, advice) from error

    def _path(self, phase: str) -> Path:
        return self.folder / f"{phase.replace(' ', '_')}.safetensors"


def _load_optimizer(
    optimizer: torch.optim.Optimizer, names: Sequence[str], read: Callable[[str], Tensor]
) -> None:
    current = optimizer.state_dict()
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name in names:
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            place, _, key = rest.partition(".")
            spread = spread_like(weights[int(place)], read(name))
            state.setdefault(int(place), {})[key] = spread
    optimizer.load_state_dict({"state": state, "param_groups": current["param_groups"]})
