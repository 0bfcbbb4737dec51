"""Read the files of a saved ResRank, with errors that name a damaged or missing file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from resrank.io.manifest import Damaged, check_outputs, read_checked_json
from resrank.model.options import INSTRUCTION, ResRankOptions

AGAIN = "copy the folder again, or train again"
KEYS = {"format", "options", "encoder", "token_norm"}
SCORING = ("input_scale", "residual", "residual_weight", "query_slot", "place_encoding")
"""The options by which a model must score as it did in training."""


def read_about(folder: Path, version: int) -> dict[str, Any]:
    """Return the content of `resrank.json`, after a check of every file in the folder.

    version: the format that the caller reads. Raises ValueError, which names the mistake.
    """
    path = folder / "resrank.json"
    if not path.is_file():
        raise ValueError(f"{folder} holds no ResRank model (no resrank.json)")
    about: dict[str, Any] = read_checked_json(path, AGAIN)
    if about.get("format", version) not in (1, version):
        raise ValueError(
            f"{folder}: saved in format {about['format']}, this version reads 1 and {version}; "
            "load it with the version of resrank that wrote it"
        )
    absent = sorted(KEYS - about.keys())
    if absent:
        raise Damaged(path, f"it has no {', '.join(absent)}", AGAIN)
    _check_weights(folder, ["reranker", *(["encoder"] if about["encoder"] == "encoder" else [])])
    check_outputs(path, AGAIN)
    if about["format"] == version:
        return about
    return about | {"options": _renewed(folder, about["options"])}


def check_scoring(folder: Path, saved: ResRankOptions, options: ResRankOptions) -> None:
    """Raise ValueError if options would score otherwise than a saved model was trained to."""
    trained, wanted = saved.model_dump(include=set(SCORING)), options.model_dump()
    for name, value in trained.items():
        if wanted[name] != value:
            raise ValueError(
                f"{folder} was trained with `{name}: {value}`, the options have "
                f"`{name}: {wanted[name]}`; set {value}, or train again"
            )


def instructed(
    saved: ResRankOptions, provenance: Mapping[str, Any], instruction: str | None
) -> ResRankOptions:
    """Return saved options with another collection's instruction; None: as in training.

    provenance: of the model. It has the texts with `{instruction}` in them if the suite that
    trained it replaced this. Options without such texts stay.
    """
    if instruction is None:
        return saved
    kept = provenance.get("instructions", {})

    def text(name: str, otherwise: str) -> str:
        return str(kept.get(name, otherwise)).replace(INSTRUCTION, instruction)

    question = text("query_instruction", saved.encoder.query_instruction)
    encoder = saved.encoder.model_copy(update={"query_instruction": question})
    opening = text("instruction", saved.instruction)
    return saved.model_copy(update={"encoder": encoder, "instruction": opening})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a safetensors file. Raises ValueError if it is absent or damaged."""
    if not path.is_file():
        raise ValueError(f"{path.parent} is incomplete: it has no {path.name}; {AGAIN}")
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a safetensors file whose length matches its header."""
    try:
        with safe_open(path, "pt") as file:
            yield file
    except SafetensorError as error:
        raise Damaged(path, error, AGAIN) from error


def _renewed(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a model of format 1 under today's names, with its way of scoring.

    It added an embedding to the state as it was fed, and its encoder's embeddings had length 1.
    Raises ValueError if there is no such way: a projector could change that length.
    """
    kept = {name: value for name, value in options.items() if name != "embedding_scale"}
    scale = options.get("embedding_scale", "token_norm")
    if scale == "raw" and options.get("projector"):
        raise ValueError(
            f"{folder}: saved in format 1 with `embedding_scale: raw` and a projector, which this "
            "version does not score as before; load it with the version of resrank that wrote it"
        )
    return {**kept, "input_scale": "unit" if scale == "raw" else scale, "residual": "as_fed"}


def _check_weights(folder: Path, parts: list[str]) -> None:
    """Raise ValueError if a part lacks weights, or their lengths do not match their headers."""
    for part in parts:
        files = sorted((folder / part).glob("*.safetensors"))
        if not (folder / part / "config.json").is_file() or not files:
            raise ValueError(f"{folder} is incomplete: its {part}/ lacks weights; {AGAIN}")
        for path in files:
            with _opened(path):
                pass
