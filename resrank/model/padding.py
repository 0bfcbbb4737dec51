"""Pad token ids of several texts to one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def pad_ids(
    ids: Sequence[Sequence[int]],
    pad: int,
    device: torch.device | str,
    side: Literal["left", "right"] = "right",
) -> tuple[Tensor, Tensor]:
    """Return padded ids and their attention mask, (texts, longest) int64 each."""
    rows = [torch.tensor(row, dtype=torch.long) for row in ids]
    ones = [torch.ones_like(row) for row in rows]
    inputs = pad_sequence(rows, batch_first=True, padding_value=pad, padding_side=side)
    mask = pad_sequence(ones, batch_first=True, padding_side=side)
    return inputs.to(device), mask.to(device)
