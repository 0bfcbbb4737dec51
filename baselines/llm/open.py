"""Open a language model from its options."""

from __future__ import annotations

from pathlib import Path

from baselines.llm.interface import LanguageModel
from baselines.llm.options import BackEnd


def open_model(options: BackEnd, trained: Path | None = None, seed: int = 0) -> LanguageModel:
    """Open the model that the options describe, or the one that training wrote to `trained`.

    seed: for random weights, if the options describe a new model.
    """
    if options.kind == "transformers":
        from baselines.llm.backends.transformers import TransformersModel

        return TransformersModel(options.trained(trained), seed)
    if options.kind == "http":
        from baselines.llm.backends.http import HttpModel

        return HttpModel(options)
    from baselines.llm.backends.replay import ReplayModel

    return ReplayModel(options)
