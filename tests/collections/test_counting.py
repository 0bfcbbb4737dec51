"""What a plan knows of a collection's size: stated, sampled, or counted in the user's own files."""

import pytest

from resrank.collections.counting import Sizes
from resrank.reporting.plan.plan import plan
from resrank.suite.load import load_suite
from tests.entries import parse_collection


@pytest.mark.parametrize(
    ("more", "wanted"),
    [({}, (6, 2, 2)), ({"test_sample": 1, "train_sample": 9}, (6, 1, 2)), ({"train": None}, (6, 2, None)),
     ({"counts": {"passages": 7, "test_queries": 3}}, (7, 3, 2))],
)  # fmt: skip
def test_a_folder_is_counted_where_nothing_is_stated(beir, more, wanted):
    assert parse_collection({"kind": "beir", "path": beir} | more).sizes() == Sizes(*wanted)


def test_a_last_line_needs_no_end(beir):
    corpus = beir / "corpus.jsonl"
    corpus.write_text(corpus.read_text().rstrip("\n"))
    assert parse_collection({"kind": "beir", "path": beir}).sizes().passages == 6


def test_own_candidates_have_the_queries_of_their_judgments(beir):
    entry = {"kind": "candidates", "path": "x.json", "qrels": beir / "qrels" / "test.tsv"}
    assert parse_collection(entry).sizes() == Sizes(None, 2, None)
    assert parse_collection({"kind": "docstrings"}).sizes() == Sizes(None, None, None)


def test_a_plan_over_a_users_own_folder_knows_all_of_it(beir):
    entry = {"kind": "beir", "path": str(beir)}
    systems = ["bm25", "bi_encoder", "cross_encoder", "resrank"]
    suite = {"name": "s", "collections": ["mine"], "systems": systems}
    message = plan(load_suite(suite | {"define": {"collections": {"mine": entry}}}))
    assert "mine: read on this machine: 6 passages, 2 test queries, 2 train queries" in message
    assert "unknown" not in message
