import numpy as np
import pytest
from pydantic import ValidationError

from resrank.evaluation.claims import Claim, Measured, counts, judge, spread
from resrank.io.shipped_files import CONFIG_DIR
from resrank.io.yaml import ConfigError
from resrank.reporting.claims import judge_all, read_claims
from resrank.reporting.tables.claims import about
from resrank.suite.library import library
from resrank.suite.load import load_suite

ABOUT = {"system": "s", "where": "table 1", "conditions": "c", "tolerance_from": "rounding"}
RESULT = {"system": "s", "collections": {"c": 4}}
VALUES = np.array([[0.2, 0.4, 0.6, 0.8]])


def claim(value, tolerance=0.001, **more):
    return Claim(value=value, tolerance=tolerance, **(ABOUT | {"results": [RESULT]} | more))


def test_verdicts_by_hand():
    # The mean is 0.5. The interval over 4 queries is far wider than 0.1 and narrower than 0.3.
    verdicts = [judge(claim(v), Measured([VALUES])).verdict for v in (0.5005, 0.6, 0.9)]
    assert verdicts == ["reproduced", "within noise", "not reproduced"]
    noisy = judge(claim(0.6), Measured([VALUES]))
    assert (noisy.measured, noisy.difference) == pytest.approx((0.5, -0.1))
    assert noisy.low < noisy.difference < noisy.high
    assert judge(claim(0.5, 0), Measured([VALUES])).verdict == "reproduced"


def test_a_mean_over_collections_weights_each_equally():
    judgement = judge(claim(0.75), Measured([VALUES, np.ones((1, 100))]))
    assert judgement.measured == pytest.approx((0.5 + 1) / 2)
    assert judgement.verdict == "reproduced"


def test_the_spread_of_repeated_runs_widens_the_tolerance():
    # sd 0.01 of three runs; Student's 97.5% with 2 degrees of freedom is 4.3027.
    runs = [0.49, 0.5, 0.51]
    width = 4.3027 * 0.01 * (4 / 3) ** 0.5
    assert spread(runs) == pytest.approx(width, rel=1e-4)
    assert spread([0.5]) == 0
    theirs = judge(claim(0.54, replicates=runs), Measured([np.full((1, 4), 0.5)]))
    ours = judge(claim(0.54), Measured([np.array(runs)[:, None].repeat(4, axis=1)]))
    for judgement in (theirs, ours):
        assert (judgement.verdict, judgement.tolerance) == (
            "reproduced",
            pytest.approx(width, rel=1e-4),
        )


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
