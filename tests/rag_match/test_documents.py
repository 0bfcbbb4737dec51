"""Stage I's documents: built from evidence, streamed into a file, read by line number."""

import json
import tracemalloc

import pytest

from baselines.llm.interface import Answer
from baselines.llm.transcript import RecordedModel
from baselines.rag_match.documents import Documents, write_documents
from baselines.rag_match.evidence import QueryEvidence, read_evidence
from baselines.rag_match.synthesis import ExtractiveSynthesiser, LlmSynthesiser
from resrank.io.text import DataError
from tests.rag_match.examples import examples

GRAPH = "A graph has nodes. The shortest path between two nodes is found by Dijkstra. It is fast."
PLOT = "Plots show values. A path may be plotted."


def test_an_extract_keeps_the_sentences_that_share_terms_in_their_order():
    query = QueryEvidence("find the shortest path of nodes", (GRAPH, PLOT))
    path = "The shortest path between two nodes is found by Dijkstra."
    assert ExtractiveSynthesiser(11)([query]) == [path]
    assert ExtractiveSynthesiser(14)([query]) == [f"A graph has nodes. {path}"]
    assert ExtractiveSynthesiser(20)([query]) == [
        f"A graph has nodes. {path} A path may be plotted."
    ]
    assert ExtractiveSynthesiser(4)([query]) == ["The shortest path between"]
    assert ExtractiveSynthesiser(5)([QueryEvidence("x", ()), QueryEvidence("nodes", ("",))]) == [
        "",
        "",
    ]


def test_an_extract_counts_letters_of_a_script_without_spaces():
    query = QueryEvidence("图", ("图的最短路径。",))
    assert ExtractiveSynthesiser(4)([query]) == ["图的最短"]


def test_evidence_is_the_first_candidates_and_an_exported_files(tmp_path):
    more = tmp_path / "more.jsonl"
    hits = [{"docid": str(n), "score": 1.0, "doc": {"contents": f"text {n}"}} for n in range(4)]
    row = {"query": {"text": "unlabelled", "qid": "u"}, "candidates": hits}
    more.write_text(json.dumps(row) + "\n")
    queries = list(read_evidence(examples(2), more, 3))
    assert [item.query for item in queries] == ["find number 0", "find number 1", "unlabelled"]
    assert queries[0].texts == tuple(c.passage.text for c in examples(1)[0].candidates[:3])
    assert queries[2].texts == ("text 0", "text 1", "text 2")
    more.write_text("{}\n")
    with pytest.raises(DataError, match=r"more.jsonl:1: a list of objects under"):
        list(read_evidence([], more, 3))


def test_documents_are_read_by_line_number(tmp_path):
    path = tmp_path / "documents.jsonl"
    queries = [QueryEvidence(f"quer\u00fd {n}", (f"Tells of {n}. And more.",)) for n in range(600)]
    write_documents(path, queries, ExtractiveSynthesiser(3))
    made = Documents(path)
    assert len(made) == 600
    assert made[599] == ("quer\u00fd 599", "Tells of 599.")
    assert made[-600] == ("quer\u00fd 0", "Tells of 0.")
    with pytest.raises(IndexError):
        made[600]


def test_a_large_corpus_is_streamed(tmp_path):
    path = tmp_path / "documents.jsonl"
    queries = (QueryEvidence(f"query {n}", (f"{n} " * 400,)) for n in range(5000))
    tracemalloc.start()
    write_documents(path, queries, lambda block: [item.texts[0] for item in block])
    made = Documents(path)
    last = made[4999]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last.query == "query 4999"
    assert path.stat().st_size > 9e6
    assert peak < path.stat().st_size / 3


class Answers:
    """Writes the prompt's last word, and counts its calls."""

    def __init__(self) -> None:
        self.parameters = {"model": "m"}
        self.calls = 0

    def answers(self, prompts, max_new_tokens, keep):
        for place, prompt in enumerate(prompts):
            self.calls += 1
            answer = Answer(f"about {prompt[-1].content.split()[-1]} and more", 9, 4)
            keep(place, answer)
            yield place, answer


def test_a_language_model_is_called_once_per_document(tmp_path):
    model = Answers()
    queries = [
        QueryEvidence("first", ("e",)),
        QueryEvidence("second", ()),
        QueryEvidence("third", ("e",)),
    ]
    for _ in range(2):  # The second time is as after a kill: the transcript is read again.
        synthesise = LlmSynthesiser(
            RecordedModel(model, tmp_path / "seed1", model.parameters), 2, 32
        )
        assert synthesise(queries) == ["about first", "", "about third"]
    assert model.calls == 2
    assert len(list(tmp_path.glob("seed1.transcript.*.jsonl"))) == 1
