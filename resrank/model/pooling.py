"""Pool hidden states into one vector per text, as a model was trained to do."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoConfig

from resrank.model.options import Pooling

POOLING_KEYS = {"last": "lasttoken", "cls": "cls_token", "mean": "mean_tokens"}
# names of sentence-transformers before and since version 6, and the names of this project
_POOLINGS: dict[str, Pooling] = {
    "mean": "mean",
    "mean_tokens": "mean",
    "cls": "cls",
    "cls_token": "cls",
    "lasttoken": "last",
}
ST_POOLINGS = [*_POOLINGS, "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens"]


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Pool hidden states (n, length, width) of right-padded texts: (n, width), one row per text."""
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        last = mask.sum(dim=1) - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def model_pooling(folder: Path) -> Pooling:
    """Return the pooling that a model was trained with.

    Its sentence-transformers config states it. Without one, a decoder has the last token and an
    encoder the mean. Raises ValueError on an unknown pooling or module: ignoring it would give
    wrong embeddings.
    """
    _check_modules(folder / "modules.json")
    config = folder / "1_Pooling" / "config.json"
    if config.is_file():
        stated = json.loads(config.read_text("utf-8"))
        flags = {
            key.removeprefix("pooling_mode_")
            for key, value in stated.items()
            if key != "pooling_mode" and value is True
        }
        names = {stated["pooling_mode"]} if "pooling_mode" in stated else flags & set(ST_POOLINGS)
        poolings = {_POOLINGS.get(name) for name in names}
        if len(poolings) != 1 or None in poolings:
            raise ValueError(
                f"{config}: pooling {', '.join(sorted(map(str, names))) or 'none'}; known: "
                f"{', '.join(_POOLINGS)}; name one of last, mean, cls in `pooling` to override"
            )
        return poolings.pop() or "mean"
    architectures = AutoConfig.from_pretrained(folder, trust_remote_code=False).architectures or []
    decoder = any(name.endswith("ForCausalLM") for name in architectures)
    return "last" if decoder else "mean"


def _check_modules(path: Path) -> None:
    if not path.is_file():
        return
    kinds = [row["type"].rpartition(".")[2] for row in json.loads(path.read_text("utf-8"))]
    unknown = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
    if unknown:
        raise ValueError(
            f"{path}: module {', '.join(unknown)} is not supported; a model of a transformer, "
            "pooling and normalisation is needed"
        )
