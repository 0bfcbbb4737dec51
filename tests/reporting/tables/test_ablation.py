"""The ablation's tables from generated scores of two collections."""

import json

import numpy as np
import pandas as pd
import pytest

from resrank.evaluation.all_pairs import Families, statistics
from resrank.io.manifest import write_checked_json
from resrank.io.yaml import ConfigError
from resrank.reporting.statistics import read_statistics
from resrank.reporting.tables.ablation import ablation, write_ablation
from resrank.reporting.tables.gains import with_gains
from resrank.reporting.tables.modes import write_modes
from resrank.reporting.tables.significance import pairs
from resrank.suite.load import load_suite
from resrank.suite.plan import Plan

TINY = {"reranker": {"layers": 1}}


def trained(collection, label, **options):
    return {"kind": "resrank", "options": {**TINY, **options}, "label": label, "training": {},
            "trained_on": collection, "seeds": [1, 2]}  # fmt: skip


DEFINE = {
    "collections": {"few": {"kind": "docstrings", "test_sample": 5}},
    "systems": {
        "full_a": trained("docstrings", "full"),
        "none_a": trained("docstrings", "no residual", residual="none"),
        "full_b": trained("few", "full"),
        "none_b": trained("few", "no residual", residual="none"),
    },
}
SUITE = {
    "name": "x",
    "collections": ["docstrings", "few"],
    "systems": ["bm25", *DEFINE["systems"]],
    "systems_on": {"docstrings": ["bm25", "full_a", "none_a"], "few": ["full_b", "none_b"]},
    "ablation": {"docstrings": "full_a", "few": "full_b"},
    "metrics": ["nDCG@10"],
    "define": DEFINE,
}
LEVELS = {"bm25": 0.2, "full": 0.6, "none": 0.5, "full_untrained": 0.1, "none_untrained": 0.3}


@pytest.fixture
def resolved():
    return load_suite(SUITE)


@pytest.fixture
def root(tmp_path, resolved):
    """Statistics and audits of generated scores."""
    rng = np.random.default_rng(0)
    for collection, stage in resolved.pairs:
        rows = []
        for system in resolved.suite.systems_of(collection):
            level = LEVELS[system.replace("_a", "").replace("_b", "")]
            rows += [
                (system, seed, f"q{n}", "nDCG@10", level + value)
                for seed in resolved.seeds_of(system)
                for n, value in enumerate(rng.normal(0, 0.1, 30))
            ]
        families = Families(**Plan(resolved).families(collection))
        tests = statistics(rows, "nDCG@10", families)
        write_checked_json(tmp_path / "statistics" / collection / f"{stage}.json", tests)
        write_checked_json(tmp_path / "audits" / collection / f"{stage}.json", {"systems": []})
    return tmp_path


@pytest.fixture
def statistics_of_sets(resolved, root):
    return read_statistics(resolved, root)


@pytest.fixture
def frame(resolved, statistics_of_sets):
    rows = [
        {"collection": collection, "first_stage": stage, "system": row["system"],
         "label": resolved.label(row["system"]), "nDCG@10": row["mean"], "nDCG@10 sd": row["sd"],
         "seeds": row["seeds"], "queries": 30, "companion": row["companion"], "timed_queries": 2,
         "threads": 2, "processor": "CPU", "dtype": "float32", "timed": "here", "reranks": True,
         **dict.fromkeys(("model_calls", "tokens_per_passage_online", "generated_tokens",
                          "p50_ms_online", "p50_ms_cached"), 1.0)}
        for (collection, stage), results in statistics_of_sets.items()
        for row in results["systems"]
    ]  # fmt: skip
    return with_gains(pd.DataFrame(rows), statistics_of_sets)


def test_each_system_is_tested_against_the_reference_of_its_collection(
    resolved, root, frame, statistics_of_sets
):
    table = ablation(resolved, root, frame, statistics_of_sets).set_index(["collection", "system"])
    assert table["companion"].sum() == 4  # each collection has the untrained rows of both choices
    few = table.loc["few"]
    assert few.loc["full_b", "difference"] == 0
    less = few.loc["none_b"]
    assert less["difference"] == pytest.approx(less["nDCG@10"] - few.loc["full_b", "nDCG@10"])
    assert less["low_over_seeds"] < less["difference"] < less["high_over_seeds"] < 0
    assert less["mark"] == "↓"
    untrained = few.loc["full_a_untrained"]
    assert untrained["label"] == "full, untrained (random weights)"
    assert untrained["difference"] == pytest.approx(-0.5, abs=0.1)
    assert few.loc["none_b", "gain"] == pytest.approx(0.2, abs=0.1)


def test_the_family_covers_both_collections(resolved, statistics_of_sets):
    tests = [test for results in statistics_of_sets.values() for test in results["ablation"]]
    assert len(tests) == 4 + 3 == resolved.ablation_tests
    least = min(test["p_randomisation"] for test in tests)
    assert min(test["p_holm"] for test in tests) == pytest.approx(7 * least)
    listed = pairs(statistics_of_sets, resolved.labels)
    assert (listed["family"] == "ablation").sum() == 7


def test_the_tables_have_blocks_and_labels_side_by_side(resolved, root, frame, statistics_of_sets):
    written = write_ablation(resolved, root, frame, statistics_of_sets)
    assert {path.stem for path in written} == {"ablation", "ablation_by_label"}
    text = (root / "tables" / "ablation.md").read_text()
    assert text.startswith("| collection | first stage | system | nDCG@10 | difference |")
    assert "Difference: from 'full', between means" in text
    assert "Rows 'untrained' are there" in text
    wide = (root / "tables" / "ablation_by_label.md").read_text().splitlines()
    assert wide[0] == (
        "| system | nDCG@10 docstrings | difference docstrings | nDCG@10 few | difference few |"
    )
    (line,) = [line for line in wide if line.startswith("| no residual |")]
    assert line.count("] ↓ |") == 2
    (line,) = [line for line in wide if line.startswith("| First stage |")]
    assert line.endswith("] ↓ | – | – |")
    assert len([line for line in wide if line.startswith("| full, untrained (")]) == 1


def test_the_table_of_modes_has_untrained_rows(resolved, root, frame):
    write_modes(resolved, root, frame, "C.")
    text = (root / "tables" / "modes.md").read_text()
    assert text.count("| full, untrained (random weights) | single pass |") == 2
    assert "Rows 'untrained' are there" in text


@pytest.mark.parametrize(
    ("ablation", "message"),
    [
        ({"else": "full_a"}, "ablation: 'else' is not among the suite's collections: docstrings"),
        ({"few": "full_c"}, "ablation: 'full_c' is not among the suite's systems"),
        ({"few": "full_a"}, "ablation on few: 'full_a' is not among the suite's systems there"),
        ("full_a", "ablation on few: 'full_a' is not among the suite's systems there: full_b"),
    ],
)
def test_mistakes_are_named(ablation, message):
    with pytest.raises(ConfigError, match=message):
        load_suite(SUITE | {"ablation": ablation})


def test_a_collection_without_reference_has_no_block(root, frame):
    resolved = load_suite(SUITE | {"ablation": {"few": "full_b"}})
    assert resolved.ablated == [("few", "bm25")]
    assert resolved.reports_ablation
    assert not resolved.reports_ablation_by_label
    assert Plan(resolved).families("docstrings")["ablation"] is None
    table = ablation(resolved, root, frame, read_statistics(resolved, root))
    assert set(table["collection"]) == {"few"}
    assert json.loads(json.dumps(Plan(resolved).families("few")))["ablation"] == "full_b"
