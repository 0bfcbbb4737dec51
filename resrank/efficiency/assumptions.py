"""Estimated hours from FLOPs, under assumptions on the device and on the queries' size."""

from __future__ import annotations

from typing import NamedTuple

from resrank.efficiency.costs import Cost
from resrank.work import QueryShape

WEIGHT_BYTES = 2
"""Bytes per parameter in memory and, mostly, in published models' files."""


class Device(NamedTuple):
    """A device's peak as its maker states it.

    flops: dense bfloat16 operations per second. bandwidth: bytes of memory per second.
    """

    flops: float
    bandwidth: float


DEVICES = {
    "H100": Device(989e12, 3.35e12),  # NVIDIA H100 SXM data sheet: 1,979 with sparsity, halved
    "A100": Device(312e12, 2.04e12),  # NVIDIA A100 80 GB SXM data sheet
    "L4": Device(121e12, 0.30e12),  # NVIDIA L4 data sheet: 242 with sparsity, halved
    "RTX4090": Device(165e12, 1.01e12),  # NVIDIA Ada white paper, appendix A: FP32 accumulation
}


class Assumptions(NamedTuple):
    """The assumptions of an estimate: device, share of its peak, mean lengths in tokens."""

    device: str = "H100"
    utilisation: float = 0.3
    passage_tokens: int = 100
    query_tokens: int = 10

    def shape(self, candidates: int) -> QueryShape:
        """Return the shape of a query with so many candidates."""
        return QueryShape(candidates, self.passage_tokens, self.query_tokens)

    @property
    def peak(self) -> Device:
        """Return the device's peak.

        Raises ValueError if the device is unknown, or the utilisation is not in (0, 1].
        """
        if self.device not in DEVICES:
            devices = ", ".join(sorted(DEVICES))
            raise ValueError(f"unknown device {self.device!r}; known: {devices}")
        if not 0 < self.utilisation <= 1:
            raise ValueError(f"utilisation {self.utilisation}: name a share above 0, at most 1")
        return DEVICES[self.device]

    def seconds(self, flops: float, stepped: float) -> float:
        """Return the seconds of so much work.

        stepped: parameters read for tokens that are written one at a time.
        """
        device = self.peak
        busy = flops / device.flops + stepped * WEIGHT_BYTES / device.bandwidth
        return busy / self.utilisation

    def hours(self, cost: Cost, queries: float) -> float:
        """Return the hours of so many queries of one cost, with passages embedded every time."""
        return queries * self.seconds(cost.online, cost.stepped) / 3600
