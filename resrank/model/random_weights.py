"""Make models of a published shape with random weights, to measure costs without a download.

`random:<hub id>` names such a model. `random:<hub id>@<n>` divides its layers and widths by n, for
small machines. The tokenizer is MiniLM's WordPiece (30,522 English tokens), which a package
contains, because the published one may need a network. Token counts differ from it: an identifier
of two digits is one token here and two in Qwen3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock

from resrank.io.atomic import atomic_folder
from resrank.io.hashing import sha256_lines
from resrank.model.architectures import random_config

TARGETS = ["▁true", "▁false"]  # monoT5's answers
PROBE = "[11] > [12], unbelievable"
CHAT = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def random_model(name: str, folder: Path, vocabulary: Path) -> Path:
    """Return the folder of a model with random weights, made under `folder` if necessary.

    vocabulary: the folder of its tokenizer. Weights are bfloat16 and the same each time. Raises
    ValueError on an unknown shape.
    """
    config = random_config(name)
    key = sha256_lines([repr(sorted(config.items()))])[:12]
    place = folder / f"{name.partition('/')[2].replace('/', '-')}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_name(f"{place.name}.lock")):
        if not place.is_dir():
            with atomic_folder(place) as partial:
                _write(config, partial, vocabulary)
    return place


def _write(config: dict[str, Any], folder: Path, vocabulary: Path) -> None:
    import torch
    import transformers

    tokenizer = _tokenizer(vocabulary)
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
    if loaded.tokenize(PROBE) != tokenizer.tokenize(PROBE):
        raise ValueError(
            f"transformers replaces the tokenizer of a model with random weights by "
            f"{type(loaded).__name__}; choose a shape of another model type"
        )


def _tokenizer(vocabulary: Path) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(vocabulary, trust_remote_code=False)
    tokenizer.add_tokens(TARGETS)
    tokenizer.eos_token = tokenizer.sep_token
    tokenizer.chat_template = CHAT
    return tokenizer
