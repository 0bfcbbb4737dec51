"""Make models of a published shape with random weights, to measure costs without a download.

`random:<hub id>` names such a model. `random:<hub id>@<n>` divides its layers and widths by n, for
small machines. It gets the published tokenizer if that is at hand (`random_tokenizers.py`), so that
its token counts are those of the published model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock

from resrank.io.atomic import atomic_folder
from resrank.io.data_folder import make_folder
from resrank.model.architectures import random_config
from resrank.model.random_tokenizers import (
    TokenizerChoice,
    choose_tokenizer,
    make_tokenizer,
    model_key,
)

PROBE = "[11] > [12], unbelievable"


def random_model(name: str, folder: Path, wordpiece: Path) -> Path:
    """Return the folder of a model with random weights, made under `folder` if necessary.

    wordpiece: the folder of the tokenizer to use where the published one is not at hand. Weights
    are bfloat16 and the same each time. Raises ValueError on an unknown shape.
    """
    config = random_config(name)
    choice = choose_tokenizer(name)
    shape = name.partition("/")[2].replace("/", "-")
    place = folder / f"{shape}-{model_key(config, choice)}"
    make_folder(folder)
    with FileLock(place.with_name(f"{place.name}.lock")):
        if not place.is_dir():
            with atomic_folder(place) as partial:
                _write(config, partial, choice, wordpiece)
    return place


def _write(config: dict[str, Any], folder: Path, choice: TokenizerChoice, wordpiece: Path) -> None:
    import torch
    import transformers

    tokenizer = make_tokenizer(choice, wordpiece, config["vocab_size"])
    shape = {key: value for key, value in config.items() if key != "model_type"}
    shape["vocab_size"] = max(config["vocab_size"], len(tokenizer))
    about = transformers.AutoConfig.for_model(config["model_type"], **shape)
    about.pad_token_id = about.decoder_start_token_id = tokenizer.pad_token_id
    about.bos_token_id = None
    about.eos_token_id = tokenizer.eos_token_id
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        # A configuration names its class in transformers.
        architecture = getattr(transformers, config["architectures"][0])
        model = architecture._from_config(about, dtype=torch.bfloat16)
    tokenizer.model_max_length = config.get("max_position_embeddings", 512)  # as T5's
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _check(folder, tokenizer)


def _check(folder: Path, tokenizer: Any) -> None:
    """Raise ValueError if transformers replaces the tokenizer of a model type by another one."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if loaded(PROBE)["input_ids"] != tokenizer(PROBE)["input_ids"]:
        raise ValueError(
            f"transformers replaces the tokenizer of a model with random weights by "
            f"{type(loaded).__name__}; choose a shape of another model type"
        )
