"""Load the first layers of a pretrained model, followed by its final norm.

The files of a model are read tensor by tensor, so the other layers need no memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig

from resrank.model.layer_count import check_layers


def first_layers_of(folder: Path, name: str, layers: int | None) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that keep a model's first layers.

    Empty if `layers` is None. Raises ValueError if the model has fewer layers, or both an encoder
    and a decoder.
    """
    if layers is None:
        return {}
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if config.is_encoder_decoder:
        raise ValueError(
            f"layers {layers}, but {name} ({config.model_type}) has an encoder and a decoder; "
            "only models of one stack can be cut"
        )
    check_layers(name, layers, config.num_hidden_layers)
    config.num_hidden_layers = layers
    if config.to_dict().get("layer_types"):  # some models list each layer's kind of attention
        config.layer_types = config.layer_types[:layers]
    return {"config": config}
