"""Stage I's documents: made of the first stage's evidence, streamed into a file, read by place."""

import json
import tracemalloc

import pytest

from baselines.llm.interface import Answer
from baselines.llm.transcript import Recorded
from baselines.rag_match.documents import (
    Documents,
    Extracts,
    Found,
    Writes,
    evidence,
    write_documents,
)
from resrank.io.text import DataError
from tests.rag_match.examples import examples

GRAPH = "A graph has nodes. The shortest path between two nodes is found by Dijkstra. It is fast."
PLOT = "Plots show values. A path may be plotted."


def test_an_extract_keeps_the_sentences_that_share_terms_in_their_order():
    found = Found("find the shortest path of nodes", (GRAPH, PLOT))
    path = "The shortest path between two nodes is found by Dijkstra."
    assert Extracts(11)([found]) == [path]
    assert Extracts(14)([found]) == [f"A graph has nodes. {path}"]
    assert Extracts(20)([found]) == [f"A graph has nodes. {path} A path may be plotted."]
    assert Extracts(4)([found]) == ["The shortest path between"]
    assert Extracts(5)([Found("x", ()), Found("nodes", ("",))]) == ["", ""]


def test_evidence_is_the_first_candidates_and_an_exported_files(tmp_path):
    more = tmp_path / "more.jsonl"
    hits = [{"docid": str(n), "score": 1.0, "doc": {"contents": f"text {n}"}} for n in range(4)]
    row = {"query": {"text": "unlabelled", "qid": "u"}, "candidates": hits}
    more.write_text(json.dumps(row) + "\n")
    found = list(evidence(examples(2), more, 3))
    assert [f.query for f in found] == ["find number 0", "find number 1", "unlabelled"]
    assert found[0].evidence == tuple(c.passage.text for c in examples(1)[0].candidates[:3])
    assert found[2].evidence == ("text 0", "text 1", "text 2")
    more.write_text("{}\n")
    with pytest.raises(DataError, match=r"more.jsonl:1: a list of objects under"):
        list(evidence([], more, 3))


def test_documents_are_read_by_their_place(tmp_path):
    path = tmp_path / "documents.jsonl"
    found = [Found(f"quer\u00fd {n}", (f"Tells of {n}. And more.",)) for n in range(600)]
    write_documents(path, found, Extracts(3))
    made = Documents(path)
    assert len(made) == 600
    assert made[599] == ("quer\u00fd 599", "Tells of 599.")
    assert made[-600] == ("quer\u00fd 0", "Tells of 0.")
    with pytest.raises(IndexError):
        made[600]


def test_a_large_corpus_is_streamed(tmp_path):
    path = tmp_path / "documents.jsonl"
    found = (Found(f"query {n}", (f"{n} " * 400,)) for n in range(5000))
    tracemalloc.start()
    write_documents(path, found, lambda block: [item.evidence[0] for item in block])
    made = Documents(path)
    last = made[4999]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last.query == "query 4999"
    assert path.stat().st_size > 9e6
    assert peak < path.stat().st_size / 3


class Answers:
    """Writes the prompt's last words, and counts how often it is asked."""

    def __init__(self) -> None:
        self.parameters = {"model": "m"}
        self.asked = 0

    def answers(self, prompts, max_new_tokens, keep):
        for place, prompt in enumerate(prompts):
            self.asked += 1
            answer = Answer(f"about {prompt[-1].content.split()[-1]} and more", 9, 4)
            keep(place, answer)
            yield place, answer


def test_a_language_models_documents_are_recorded_and_asked_for_once(tmp_path):
    model = Answers()
    found = [Found("first", ("e",)), Found("second", ()), Found("third", ("e",))]
    for _ in range(2):  # as after a kill: the transcript is read again
        writes = Writes(Recorded(model, tmp_path / "seed1", model.parameters), 2, 32)
        assert writes(found) == ["about first", "", "about third"]
    assert model.asked == 2
    assert len(list(tmp_path.glob("seed1.transcript.*.jsonl"))) == 1
