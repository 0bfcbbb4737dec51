"""Checkpoints from which a killed training run resumes: weights, optimiser, random state.

A run that resumes ends with the weights of one that was never killed, bit for bit on one device.
A checkpoint is a safetensors file and a small JSON file, its manifest, which names it and holds its
SHA-256. The two names of safetensors files alternate, so that the manifest's file is always whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from resrank.io.atomic import atomic_file
from resrank.io.manifest import (
    check_outputs,
    output_hashes,
    read_checked_json,
    write_checked_json,
)
from resrank.training.processes import processes
from resrank.training.sharded_tensors import put, spread_like


class Checkpoints:
    """One checkpoint per phase under `folder`, written every `SECONDS` and at the phase's end.

    Writing is rarer where it takes long. key: a hash of all that training depends on; training
    never resumes from a checkpoint with another key.
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
        """Load the phase's state, if there is one; return its number of completed steps.

        extra: text values of the caller's, replaced by those that were saved. Raises Damaged if
        a file differs from what was written.
        """
        about = self._manifest(phase)
        if about.get("key") != self.key:
            return 0
        with safe_open(self._weights(phase, about), "pt") as file:
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
        """Load weights that `write` kept. Raises Damaged if they differ from what was written."""
        path = self._weights(phase, self._manifest(phase))
        with safe_open(path, "pt") as file, torch.no_grad():
            for name, parameter in named.items():
                put(parameter, file.get_tensor(name))

    def _write(self, phase: str, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
        """Write in the main process; the others wait for it.

        The new weights count once the manifest names them; the old ones are deleted then.
        """
        if self.run.is_main:
            before = self._manifest(phase).get("weights")
            names = [f"{_file_name(phase)}.{slot}.safetensors" for slot in "ab"]
            path = self.folder / next(name for name in names if name != before)
            with atomic_file(path) as partial:
                save_file(tensors, partial)
            outputs = output_hashes([path], self.folder)
            write_checked_json(
                self._manifest_path(phase), {**about, "weights": path.name, "outputs": outputs}
            )
            if before is not None:
                (self.folder / before).unlink(missing_ok=True)
        self.run.wait()

    def _manifest(self, phase: str) -> dict[str, Any]:
        """Return a checkpoint's manifest, or an empty one if there is no checkpoint."""
        path = self._manifest_path(phase)
        if not path.is_file():
            return {}
        manifest: dict[str, Any] = read_checked_json(path, self._advice)
        return manifest

    def _weights(self, phase: str, manifest: Mapping[str, Any]) -> Path:
        """Return the path of a checkpoint's tensors, after a check of every byte."""
        check_outputs(self._manifest_path(phase), self._advice)
        return self.folder / str(manifest["weights"])

    def _manifest_path(self, phase: str) -> Path:
        return self.folder / f"{_file_name(phase)}.manifest.json"

    @property
    def _advice(self) -> str:
        return f"delete {self.folder}, and the training starts from the beginning"


def _file_name(phase: str) -> str:
    return phase.replace(" ", "_")


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
