"""How a stored embedding is written: float32 as it is, bfloat16, or int8 with a scale a vector."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from resrank.model.options import StoreDtype


class VectorCodec:
    """Rows of `row_bytes` bytes for vectors of `width` numbers."""

    def __init__(self, dtype: StoreDtype, width: int) -> None:
        self.dtype = dtype
        self.width = width
        self.row_bytes = {"float32": 4 * width, "bfloat16": 2 * width, "int8": width + 4}[dtype]

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(n, width) float32 to (n, row_bytes)."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        if self.dtype == "float32":
            return vectors.view(np.uint8)
        if self.dtype == "bfloat16":
            halves = torch.from_numpy(vectors).to(torch.bfloat16).view(torch.int16).numpy()
            return halves.view(np.uint8)
        scales = np.abs(vectors).max(axis=1, keepdims=True) / 127
        scales[scales == 0] = 1
        whole = np.rint(vectors / scales).astype(np.int8)
        return np.concatenate([scales.astype(np.float32).view(np.uint8), whole.view(np.uint8)], 1)

    def decode(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, row_bytes) to (n, width) float32."""
        rows = np.ascontiguousarray(rows)
        if self.dtype == "float32":
            return rows.view(np.float32)
        if self.dtype == "bfloat16":
            halves = torch.from_numpy(rows.view(np.int16).copy()).view(torch.bfloat16)
            wide: NDArray[np.float32] = halves.float().numpy()
            return wide
        scales = rows[:, :4].copy().view(np.float32)
        return rows[:, 4:].view(np.int8).astype(np.float32) * scales
