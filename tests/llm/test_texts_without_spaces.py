"""A window of long texts without spaces fits a small model, for every reranker that cuts by words."""

import pytest

from resrank.records import Candidate, Passage, Query
from resrank.registry import resolve
from tests.shapes import save_causal

LISTED = [Candidate(Passage(f"p{n}", "跳蚤会跳得很高" * 90), -float(n)) for n in range(4)]


@pytest.mark.parametrize("kind", ["rankgpt", "first", "setwise", "icr", "yes_no", "rag_match"])
def test_texts_are_cut_until_they_fit(tmp_path_factory, kind):
    folder = tmp_path_factory.getbasetemp() / "lm"
    model = str(folder) if folder.exists() else save_causal(folder, "qwen3")
    llm = {"kind": "transformers", "model": model, "dtype": "float32", "context": 1500}
    more = {"rankgpt": {"max_new_tokens": 4}, "yes_no": {"answers": ("yes", "no")}}.get(kind, {})
    cls = resolve(kind)
    system = cls.load(cls.Options.model_validate({"llm": llm, **more}))
    ranking = system.rerank(Query("q", "跳蚤"), LISTED)
    assert sorted(ranking.passage_ids) == [f"p{n}" for n in range(4)]
    assert ranking.usage.truncated_passages == 4
