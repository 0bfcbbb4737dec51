"""Convert a GGUF file into a folder that transformers loads like any other model.

Weights are dequantised once. They are stored as float16, in half the space of float32 (269 MB for
SmolLM2-135M). Over 5,632 positions of English text, the likeliest next token of that model equals
the float32 weights' in 99.96% of cases, and in 99.57% if weights are stored as bfloat16, which has
8 significant bits in place of 11.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from resrank.io.atomic import atomic_folder
from resrank.io.data_folder import data_folder, make_folder
from resrank.io.hashing import sha256_file, sha256_lines
from resrank.io.manifest import check_outputs, files_below, write_manifest

GGUF = ".gguf"
FULL_PRECISION = {"F64", "F32", "F16", "BF16"}
STORED = "float16"
VERSION = "1"  # of the conversion: another one makes another folder
PROBE = "Rank [11] > [12], x  345\n\n  done."


def is_gguf(name: str) -> bool:
    """Return whether a model's name is that of a GGUF file."""
    return name.lower().endswith(GGUF)


def gguf_digest(file: Path) -> str:
    """Return the SHA-256 of a file, computed once per process unless the file changes."""
    about = file.stat()
    return _digest(file, about.st_mtime_ns, about.st_size)


@cache
def _digest(file: Path, changed: int, size: int) -> str:
    return sha256_file(file)


def converted_folder(file: Path) -> Path:
    """Return where the folder of a GGUF file lies once it is converted, by the file's SHA-256."""
    key = sha256_lines([gguf_digest(file), STORED, VERSION])[:12]
    return data_folder() / "converted_models" / f"{file.name[: -len(GGUF)]}-{key}"


def gguf_model(file: Path) -> Path:
    """Return the folder of a GGUF file's model, converted if it is not here yet.

    Two processes that want one model convert it once. Raises ValueError if the file cannot be read,
    Damaged if the folder has changed since.
    """
    folder = converted_folder(file)
    if not folder.is_dir():
        make_folder(folder.parent)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if not folder.is_dir():  # another process may have made it meanwhile
                print(f"converting {file.name} into {folder}", file=sys.stderr, flush=True)
                with atomic_folder(folder) as partial:
                    _convert(file, partial)
    check_outputs(folder / "manifest.json", f"delete {folder}, and it is converted again")
    return folder


def _convert(file: Path, folder: Path) -> None:
    tokenizer, model, types = _read(file)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _check(folder, tokenizer)
    facts = {"quantised": bool(types.keys() - FULL_PRECISION), "tensors": types, "stored": STORED}
    outputs = files_below(folder)
    inputs: dict[str, Path | str] = {file.name: file}
    write_manifest(folder / "manifest.json", inputs=inputs, config=facts, outputs=outputs)


def _read(file: Path) -> tuple[Any, Any, dict[str, int]]:
    """Return tokenizer, model in float32, and the number of tensors of each type in the file."""
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        reader = GGUFReader(file)
        tokenizer = AutoTokenizer.from_pretrained(
            file.parent, gguf_file=file.name, trust_remote_code=False
        )
        model = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float32, trust_remote_code=False
        )
    except Exception as error:  # numpy, gguf and transformers each raise errors of their own
        raise ValueError(
            f"{file} cannot be read as a GGUF model ({type(error).__name__}: {error}); it needs an "
            "architecture and a tokenizer that transformers reads from GGUF files"
        ) from error
    pre_tokenizer = reader.get_field("tokenizer.ggml.pre")
    _split_digits(tokenizer, None if pre_tokenizer is None else pre_tokenizer.contents())
    tokenizer.model_max_length = model.config.max_position_embeddings
    types = Counter(tensor.tensor_type.name for tensor in reader.tensors)
    return tokenizer, _plain(model), dict(sorted(types.items()))


def _plain(model: Any) -> Any:
    """Return a fresh model with the weights: a dequantised one refuses `save_pretrained`."""
    import torch

    config = model.config
    del config.quantization_config
    with torch.device("meta"):
        fresh = type(model)(config)
    fresh.load_state_dict(model.state_dict(), assign=True)
    fresh.tie_weights()
    fresh.generation_config = model.generation_config
    return fresh


def _split_digits(tokenizer: Any, name: str | None) -> None:
    """Split numbers into digits before words, as SmolLM's tokenizer does; transformers omits it."""
    if name != "smollm":
        return
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    parts = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(parts)


def _check(folder: Path, tokenizer: Any) -> None:
    """Raise ValueError if transformers replaces the tokenizer by another one."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if loaded(PROBE)["input_ids"] != tokenizer(PROBE)["input_ids"]:
        raise ValueError(f"transformers replaces the tokenizer by {type(loaded).__name__}")
