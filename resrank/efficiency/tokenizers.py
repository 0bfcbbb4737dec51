"""Which tokenizers count a system's tokens, and whether the counts are exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resrank.efficiency.costs import models_of
from resrank.model.architectures import RANDOM
from resrank.model.random_tokenizers import choose_tokenizer, user_tokenizer
from resrank.reranker_entry import RerankerEntry
from resrank.work import FirstLayers


def tokenizers_of(entry: RerankerEntry) -> dict[str, dict[str, Any]]:
    """Return the tokenizer of each model with random weights: its name, origin and exactness.

    Other models bring their own tokenizer, so their counts are exact and they are left out.
    """
    return {model: choose_tokenizer(model).record for model in _random_models(entry)}


def user_tokenizers(entry: RerankerEntry) -> list[Path]:
    """Return the user's tokenizer files that the system's models with random weights get."""
    files = (user_tokenizer(model) for model in _random_models(entry))
    return sorted({file for file in files if file is not None})


def _random_models(entry: RerankerEntry) -> list[str]:
    """Return a system's models with random weights, by name."""
    models = (m.model if isinstance(m, FirstLayers) else m for m in models_of(entry))
    return [name for name in models if isinstance(name, str) and name.startswith(RANDOM)]
