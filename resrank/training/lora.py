"""Low-rank adapters (Hu et al., ICLR 2022) through peft, and recomputing layers to save memory."""

from __future__ import annotations

from typing import Any

from torch import nn

from resrank.model.resrank import ResRank
from resrank.training.options import Lora, ResRankTraining

ADAPTED = ("encoder.model.", "reranker.model.")


def adapt(model: ResRank, training: ResRankTraining) -> None:
    """Put adapters on the models that are trained, and set layers to be computed again."""
    trained: list[Any] = [model.reranker]
    trained += [model.encoder] if training.trains_encoder else []
    for part in trained:
        if training.lora is not None:
            part.model = with_adapters(part.model, training.lora)
        if training.gradient_checkpointing:
            recompute_layers(part.model)


def merge(model: ResRank, training: ResRankTraining) -> None:
    """Add the adapters, if there are any, to the weights they adapt."""
    if training.lora is None:
        return
    from peft import PeftModel

    for part in (model.encoder, model.reranker):
        if isinstance(part.model, PeftModel):
            part.model = part.model.merge_and_unload()


def is_replaced(name: str) -> bool:
    """Whether adapters are trained in place of a parameter of this name."""
    return name.startswith(ADAPTED) and "lora_" not in name


def recompute_layers(model: nn.Module) -> None:
    """Keep no activations inside a layer.

    transformers does so in training mode only; the layers alone are set to it, not what is inside
    them, so that dropout stays off and both passes compute alike.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    model.gradient_checkpointing_enable(  # type: ignore[operator]
        gradient_checkpointing_kwargs={"use_reentrant": False}
    )
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.training = True


def with_adapters(model: nn.Module, lora: Lora) -> nn.Module:
    """The model with adapters on its linear layers, the vocabulary's head left alone."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules="all-linear")
    adapted: nn.Module = get_peft_model(model, config)
    return adapted
