"""Number formats of stored embeddings: float32, bfloat16, or int8 with one scale per vector."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from resrank.model.options import StoreDtype


class VectorCodec:
    """Converts vectors of `width` numbers to rows of `row_bytes` bytes and back."""

    def __init__(self, dtype: StoreDtype, width: int) -> None:
        self.dtype = dtype
        self.width = width
        self.row_bytes = {"float32": 4 * width, "bfloat16": 2 * width, "int8": width + 4}[dtype]

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Encode (n, width) float32 as (n, row_bytes) uint8."""
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
        """Decode (n, row_bytes) uint8 to (n, width) float32."""
        rows = np.ascontiguousarray(rows)
        if self.dtype == "float32":
            return rows.view(np.float32)
        if self.dtype == "bfloat16":
            halves = torch.from_numpy(rows.view(np.int16).copy()).view(torch.bfloat16)
            wide: NDArray[np.float32] = halves.float().numpy()
            return wide
        scales = rows[:, :4].copy().view(np.float32)
        return rows[:, 4:].view(np.int8).astype(np.float32) * scales
