"""Low-rank adapters (Hu et al., ICLR 2022) with peft, and recomputed layers, to save memory."""

from __future__ import annotations

from typing import Any

from torch import nn

from resrank.model.resrank import ResRank
from resrank.training.options import LoraOptions, ResRankTraining

ADAPTED = ("encoder.model.", "reranker.model.")


def adapt(model: ResRank, training: ResRankTraining) -> None:
    """Add adapters to the models that are trained, and recompute their layers, as configured."""
    for part in _trained(model, training):
        if training.lora is not None:
            part.model = with_adapters(part.model, training.lora)
        if training.gradient_checkpointing:
            recompute_layers(part.model)


def merge(model: ResRank, training: ResRankTraining) -> None:
    """Add the adapters, if there are any, to the weights that they adapt."""
    if training.lora is not None:
        for part in _trained(model, training):
            part.model = part.model.merge_and_unload()


def is_replaced(name: str) -> bool:
    """Return whether adapters are trained in place of the parameter of this name."""
    return name.startswith(ADAPTED) and "lora_" not in name


def recompute_layers(model: nn.Module) -> None:
    """Recompute the activations inside each layer in the backward pass, in place of keeping them.

    transformers does so in training mode only. The layers alone are set to this mode, not their
    submodules, so that dropout stays off and both passes compute the same.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    model.gradient_checkpointing_enable(  # type: ignore[operator]
        gradient_checkpointing_kwargs={"use_reentrant": False}
    )
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.training = True


def with_adapters(model: nn.Module, lora: LoraOptions) -> nn.Module:
    """Return the model with adapters on its linear layers, except the language-model head."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules="all-linear")
    adapted: nn.Module = get_peft_model(model, config)
    return adapted


def _trained(model: ResRank, training: ResRankTraining) -> list[Any]:
    """Return the parts of the model that are trained: the reranker, and the encoder if it is."""
    return [model.reranker, model.encoder] if training.trains_encoder else [model.reranker]
