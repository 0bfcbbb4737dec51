"""DPO's loss equals the paper's by hand, and trl's on random log-probabilities."""

import math
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from baselines.rag_match.dpo import dpo

PAIRS, LENGTH = 5, 7


def test_the_loss_equals_the_papers_by_hand():
    values = [torch.tensor([x], requires_grad=x == -2.0) for x in (-2.0, -3.0, -2.5, -2.8)]
    loss = dpo(*values, beta=0.5)
    margin = (-2.0 + 2.5) - (-3.0 + 2.8)  # 0.7: the chosen rose, the rejected fell
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-0.5 * margin)))
    loss.backward()
    assert values[0].grad.item() == pytest.approx(-0.5 / (1 + math.exp(0.5 * margin)))


def test_a_model_equal_to_its_reference_has_a_loss_of_log_2():
    same = torch.randn(2, PAIRS)
    assert dpo(same[0], same[1], same[0], same[1], 0.1).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("beta", [0.05, 0.1, 1.0])
def test_the_loss_and_its_gradient_equal_trls(beta):
    torch.manual_seed(1)
    mask = (torch.rand(2 * PAIRS, LENGTH) < 0.7).long()
    tokens = torch.randn(2 * PAIRS, LENGTH - 1) * mask[:, 1:]
    reference = torch.randn(2 * PAIRS)
    theirs, ours = (tokens.clone().requires_grad_() for _ in range(2))
    expected = loss_of_trl(theirs, reference, mask, beta)
    chosen, rejected = ours.sum(dim=1).chunk(2)
    actual = dpo(chosen, rejected, *reference.chunk(2), beta)
    assert actual.item() == pytest.approx(expected.item(), rel=1e-6)
    expected.backward()
    actual.backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-7)


def loss_of_trl(tokens: torch.Tensor, reference: torch.Tensor, mask: torch.Tensor, beta: float):
    """Return the loss of `DPOTrainer` for tokens with these log-probabilities."""
    from trl import DPOTrainer

    zeros = torch.zeros_like(tokens)
    output = SimpleNamespace(
        log_probs=tokens, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool(),
        log_sum_sq_probs=zeros,
    )  # fmt: skip
    accelerator = SimpleNamespace(
        device=torch.device("cpu"), gather=lambda x: x, gather_for_metrics=lambda x: x
    )
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=accelerator, aux_loss_enabled=False,
        ld_alpha=None, precompute_ref_logps=True, f_divergence_type="reverse_kl", beta=beta,
        loss_types=["sigmoid"], loss_weights=[1.0], use_weighting=False, label_smoothing=0.0,
        _metrics=defaultdict(lambda: defaultdict(list)), _total_train_tokens=0, _tp_size=1,
    )  # fmt: skip
    chosen, rejected = reference.chunk(2)
    inputs = {
        "input_ids": torch.ones_like(mask), "attention_mask": torch.ones_like(mask),
        "completion_mask": mask, "ref_chosen_logps": chosen, "ref_rejected_logps": rejected,
    }  # fmt: skip
    return DPOTrainer._compute_loss(trainer, lambda **_: output, inputs, False)
