"""Direct preference optimisation (Rafailov et al., NeurIPS 2023, equation 7)."""

from __future__ import annotations

from torch import Tensor, nn


def dpo(
    chosen: Tensor, rejected: Tensor, chosen_ref: Tensor, rejected_ref: Tensor, beta: float
) -> Tensor:
    """Return the mean loss over pairs of answers, a scalar.

    chosen, rejected: (pairs,) log-probabilities of whole answers. chosen_ref, rejected_ref:
    (pairs,) the same under the reference model, without gradients.
    """
    margins = (chosen - chosen_ref) - (rejected - rejected_ref)
    return -nn.functional.logsigmoid(beta * margins).mean()
