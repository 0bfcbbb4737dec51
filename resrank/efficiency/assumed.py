"""Hours from FLOPs: a device's peak as its maker states it, and the share of it that is used."""

from __future__ import annotations

from typing import NamedTuple

from resrank.efficiency.costs import Cost
from resrank.work import QueryShape

WEIGHT_BYTES = 2  # of a parameter as it is loaded, and as published models mostly store it


class Device(NamedTuple):
    """Dense bfloat16 operations a second and bytes of memory a second, as its maker states."""

    flops: float
    bandwidth: float


DEVICES = {
    "H100": Device(989e12, 3.35e12),  # NVIDIA H100 SXM data sheet: 1,979 with sparsity, halved
    "A100": Device(312e12, 2.04e12),  # NVIDIA A100 80 GB SXM data sheet
    "L4": Device(121e12, 0.30e12),  # NVIDIA L4 data sheet: 242 with sparsity, halved
    "RTX4090": Device(165e12, 1.01e12),  # NVIDIA Ada white paper, appendix A: FP32 accumulation
}


class Assumed(NamedTuple):
    """What an estimate stands on: the device, the share of its peak, a query's size."""

    device: str = "H100"
    utilisation: float = 0.3
    passage_tokens: int = 100
    query_tokens: int = 10

    def shape(self, candidates: int) -> QueryShape:
        """Return the shape of a query with so many candidates."""
        return QueryShape(candidates, self.passage_tokens, self.query_tokens)

    @property
    def peak(self) -> Device:
        """The device. ValueError if it is not known, or the utilisation is no share."""
        if self.device not in DEVICES:
            known = ", ".join(sorted(DEVICES))
            raise ValueError(f"unknown device {self.device!r}; known: {known}")
        if not 0 < self.utilisation <= 1:
            raise ValueError(f"utilisation {self.utilisation}: name a share above 0, at most 1")
        return DEVICES[self.device]

    def seconds(self, flops: float, stepped: float) -> float:
        """Of so many FLOPs and, for tokens written one at a time, so many parameters read."""
        device = self.peak
        busy = flops / device.flops + stepped * WEIGHT_BYTES / device.bandwidth
        return busy / self.utilisation

    def hours(self, cost: Cost, times: float) -> float:
        """Of `times` queries, passages embedded each time."""
        return times * self.seconds(cost.online, cost.stepped) / 3600
