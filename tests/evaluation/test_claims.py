import json

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from baselines.llm.prompts.template import template
from resrank.evaluation.claims import Claim
from resrank.evaluation.verdicts import Measured, counts, judge, spread
from resrank.io.atomic import write_text
from resrank.io.parquet import write_table
from resrank.io.shipped_files import CONFIG_DIR
from resrank.io.yaml import ConfigError
from resrank.reporting.claims import judge_all, read_claims, verdict
from resrank.reporting.tables.claims import about
from resrank.suite.library import library
from resrank.suite.load import load_suite

ABOUT = {"system": "s", "where": "table 1", "conditions": "c", "tolerance_from": "rounding"}
RESULT = {"system": "s", "collections": {"c": 4}, "first_stage": "bm25"}
VALUES = np.array([[0.2, 0.4, 0.6, 0.8]])


def claim(value, tolerance=0.001, **more):
    return Claim(value=value, tolerance=tolerance, **(ABOUT | {"results": [RESULT]} | more))


def test_verdicts_by_hand():
    # The mean is 0.5. The interval over 4 queries is far wider than 0.1: it counts for nothing.
    verdicts = [judge(claim(v), Measured([VALUES])).verdict for v in (0.5005, 0.502, 0.9)]
    assert verdicts == ["reproduced", "differs", "differs"]
    far = judge(claim(0.6), Measured([VALUES]))
    assert (far.measured, far.difference, far.paired) == pytest.approx((0.5, -0.1, False))
    assert far.low < far.difference < far.high
    assert judge(claim(0.5, 0), Measured([VALUES])).verdict == "reproduced"


def test_the_published_run_is_compared_query_by_query():
    """The paired interval is narrow where both sides find the same queries hard."""
    shifted = judge(claim(0.47), Measured([VALUES], published=VALUES[0] - [0.02, 0.04, 0.03, 0.03]))
    assert (shifted.verdict, shifted.paired) == ("differs", True)
    assert 0 < shifted.low < shifted.difference < shifted.high < 0.05
    mixed = judge(claim(0.47), Measured([VALUES], published=VALUES[0] - [0.4, -0.3, 0.3, -0.28]))
    assert mixed.verdict.startswith("not comparable (4 queries are too few: from -0.")
    same = judge(claim(0.5), Measured([VALUES], published=VALUES[0]))
    assert (same.verdict, same.low, same.high) == ("reproduced", 0, 0)


def test_a_mean_over_collections_weights_each_equally():
    judgement = judge(claim(0.75), Measured([VALUES, np.ones((1, 100))]))
    assert judgement.measured == pytest.approx((0.5 + 1) / 2)
    assert judgement.verdict == "reproduced"


def test_the_spread_of_repeated_runs_widens_the_tolerance_ours_up_to_a_cap():
    # sd 0.01 of three runs; Student's 97.5% with 2 degrees of freedom is 4.3027.
    runs = [0.49, 0.5, 0.51]
    width = 4.3027 * 0.01 * (4 / 3) ** 0.5
    assert spread(runs) == pytest.approx(width, rel=1e-4)
    assert spread([0.5]) == 0
    theirs = judge(claim(0.54, replicates=runs), Measured([np.full((1, 4), 0.5)]))
    assert (theirs.verdict, theirs.tolerance) == ("reproduced", pytest.approx(width, rel=1e-4))
    by_seed = Measured([np.array(runs)[:, None].repeat(4, axis=1)])
    ours = judge(claim(0.54), by_seed)
    assert (ours.verdict, ours.tolerance) == ("differs", 0.005)
    assert judge(claim(0.504), by_seed).verdict == "reproduced"
    assert judge(claim(0.52, seed_cap=0.03), by_seed).tolerance == 0.03


def scored_suite(root, run_queries=3):
    """A suite's folder: system s on collection c, four judged queries, of which 3 have candidates."""
    rows = [
        {"system": "s", "seed": 0, "query_id": f"q{n}", "metric": "nDCG@10", "value": value}
        for n, value in enumerate([0.8, 0.6, 0.4, 0.0])
    ]
    write_table(under(root / "scores/c/bm25.parquet"), pa.Table.from_pylist(rows))
    listed = [{"query_id": f"q{n}"} for n in range(run_queries)]
    write_table(under(root / "candidates/c/bm25.parquet"), pa.Table.from_pylist(listed))
    write_text(root / "candidates/c/bm25.manifest.json", '{"depth": 100}')
    about = {"about": {"prompt_hash": "a" * 64}}
    write_text(under(root / "runs/c/bm25/s/seed0.manifest.json"), json.dumps(about))
    return root


def under(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_a_claim_is_judged_over_its_own_denominator_and_both_are_shown(tmp_path):
    root = scored_suite(tmp_path)
    judged, stage = verdict(claim(0.45), root)
    assert (judged.verdict, judged.measured) == ("reproduced", pytest.approx(0.45))
    assert judged.other_denominator == pytest.approx(0.6)
    assert (judged.queries, stage) == ("4 of 4 judged", "bm25, 100")
    listed, _ = verdict(claim(0.6, over="with_candidates"), root)
    assert (listed.verdict, listed.measured) == ("reproduced", pytest.approx(0.6))
    assert listed.other_denominator == pytest.approx(0.45)
    assert listed.queries == "3 of 4 judged"
    assert verdict(claim(0.6), root)[0].verdict == "differs"
    whole, _ = verdict(claim(0.45), scored_suite(tmp_path, run_queries=4))
    assert whole.other_denominator is None


def test_a_result_under_other_conditions_is_not_comparable(tmp_path):
    root = scored_suite(tmp_path)
    prompt = {"prompt": "p", "prompt_hash": "b" * 64}
    for changed, reason in (
        ({"results": [RESULT | {"depth": 50}]}, "c: 100 candidates, not 50"),
        ({"results": [RESULT | {"collections": {"c": 9}}]}, "c: 4 queries, not 9"),
        (prompt, "s on c: its prompt has the hash aaaaaaaa, not bbbbbbbb (p)"),
    ):
        assert verdict(claim(0.45, **changed), root)[0].verdict == f"not comparable ({reason})"
    assert verdict(claim(0.45, prompt="p", prompt_hash="a" * 64), root)[0].verdict == "reproduced"
    elsewhere = claim(0.45, results=[RESULT | {"first_stage": "dense"}])
    assert verdict(elsewhere, root)[0].verdict == "not run (no c under dense)"


def test_the_prompt_hash_of_a_shipped_claim_is_that_of_the_prompt_that_the_system_uses():
    entries, tied = library(), 0
    for name, (_, one) in read_claims().items():
        if one.prompt_hash is None:
            continue
        tied += 1
        assert template(one.prompt).hash == one.prompt_hash, name
        for result in one.results:
            assert entries.systems[result.system].typed_options.prompt == one.prompt, name
    assert tied >= 4


def test_every_shipped_claim_is_typed_and_names_entries_of_the_library():
    claims = read_claims()
    assert len(claims) > 50
    entries = library()
    for name, (_, one) in claims.items():
        for result in one.results:
            assert result.system in entries.systems, name
            assert result.first_stage in entries.first_stages, name
            for collection, queries in result.collections.items():
                counted = entries.collections[collection].counts.test_queries
                assert counted == queries, (name, collection)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"results": []}, "either `results`"),
        ({"not_run": "why"}, "either `results`"),
        ({"replicates": [0.5]}, "one replicate"),
        ({"tolerence": 1}, "unknown key tolerence"),
        ({"prompt": "p"}, "both `prompt` and `prompt_hash`"),
        (
            {"published_run": "r", "results": [RESULT | {"collections": {"c": 4, "d": 4}}]},
            "is of one collection",
        ),
    ],
)
def test_an_incomplete_or_contradictory_claim_is_an_error(change, message):
    with pytest.raises(ValidationError, match=message):
        claim(0.5, **change)


def test_a_folder_without_scores_or_claims_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no scores under"):
        judge_all(tmp_path)
    with pytest.raises(ConfigError, match="no claims in"):
        read_claims(tmp_path)
    (tmp_path / "a.yaml").write_text("source: s\nclaims: {x: {value: high}}\n")
    with pytest.raises(ConfigError, match=r"a.yaml: claims.x.system"):
        read_claims(tmp_path)


def test_verdicts_are_counted_without_their_reasons():
    verdicts = ["not run (a)", "reproduced", "not run (b)"]
    assert counts(verdicts) == {"reproduced": 1, "not run": 2}


def test_a_suite_lists_the_claims_that_it_could_answer():
    private = {"name": "s", "collections": ["docstrings"], "systems": ["bm25"]}
    assert about(load_suite(private).given) == set()
    claims = about(load_suite(CONFIG_DIR / "small.yaml").given)
    assert "bm25_dl19" in claims
    assert "bm25_nfcorpus" not in claims
