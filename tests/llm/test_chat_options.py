"""Shipped entries of Qwen3's chat models do not reason before they answer."""

from collections.abc import Iterator
from typing import Any

from resrank.io.yaml import read_yaml
from tests.conftest import ROOT


def language_models(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every section `llm` of a configuration."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "llm":
                yield item
            yield from language_models(item)
    elif isinstance(value, list):
        for item in value:
            yield from language_models(item)


def test_every_qwen3_entry_leaves_out_the_thinking():
    models = [
        llm
        for path in sorted((ROOT / "config").glob("*.yaml"))
        for llm in language_models(read_yaml(path))
        if "Qwen/Qwen3-" in str(llm["model"])
    ]
    kinds = [llm["kind"] for llm in models]
    assert kinds.count("http") == 3  # rankgpt_endpoint; rag_match_8b's synthesiser and teacher
    assert kinds.count("transformers") >= 3
    assert all(llm["chat_options"] == {"enable_thinking": False} for llm in models)
