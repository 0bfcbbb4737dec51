"""The check that what a model computes are numbers: its output would order passages at random."""

from __future__ import annotations

from torch import Tensor


def check_finite(values: Tensor, model: object, what: str) -> None:
    """Raise ValueError if a value is not a finite number.

    model, what: for the message, such as "its logits".
    """
    if not values.isfinite().all():
        raise ValueError(
            f"{model}: {what} are not finite numbers, so they rank nothing; its weights are "
            "damaged, or too large for their number format: try `dtype: float32`"
        )
