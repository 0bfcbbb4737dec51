import json

import pytest

from baselines.first_stage import FirstStageOptions, FirstStageOrder
from resrank.candidates.bm25 import Bm25Stage
from resrank.candidates.freeze import freeze
from resrank.collections.beir import BeirCollection
from resrank.evaluation.agreement import mean_tau
from resrank.io.collection import Collection
from resrank.io.yaml import ConfigError
from resrank.jobs.sensitivity import (
    LARGE,
    SeededSystem,
    SensitivityJob,
    changed,
    expanded,
    sensitivity,
)
from resrank.model.device import set_seeds
from resrank.model.options import ResRankOptions
from resrank.model.resrank import ResRank
from resrank.reporting.tables.sensitivity import largest
from resrank.resrank_reranker import ResRankSystem
from resrank.suite.load import load_suite
from resrank.suite.schema import System


def test_tau_by_hand():
    # abc against acb: two pairs agree, one does not.
    assert mean_tau(["abc"], ["acb"]) == pytest.approx(1 / 3)
    assert mean_tau(["abc", "ab"], ["cba", "ab"]) == pytest.approx(0)
    assert mean_tau(["a"], ["a"]) == 1


@pytest.fixture
def frozen(beir, tmp_path):
    BeirCollection(kind="beir", path=beir).collect(tmp_path / "c")
    collection = Collection(tmp_path / "c")
    freeze(collection, Bm25Stage(kind="bm25"), tmp_path / "bm25.parquet")
    return collection, tmp_path / "bm25.parquet"


def run(frozen, tmp_path, **spec):
    collection, candidates = frozen
    out = tmp_path / "out.json"
    sensitivity(
        SensitivityJob(
            name="s",
            system=System.model_validate(spec),
            collection=collection,
            candidates=candidates,
            seeds=[SeededSystem(0, System.model_validate(spec), None)],
            out=out,
        )
    )
    return json.loads(out.read_text())


def test_the_first_stage_follows_the_order_that_it_is_given(frozen, tmp_path):
    result = run(frozen, tmp_path, kind="first_stage")
    by_name = {v["name"]: v for v in result["variants"]}
    assert set(by_name) == {"reversed", *(f"shuffled {k}" for k in range(1, 6))}
    assert by_name["reversed"]["tau"] == -1
    assert by_name["reversed"]["difference"] < 0
    assert result["queries"] == 2


def test_a_bi_encoder_does_not_and_is_tried_in_other_batches_and_formats(frozen, tmp_path):
    result = run(frozen, tmp_path, kind="bi_encoder", options={"dtype": "float32"})
    kinds = [v["kind"] for v in result["variants"]]
    assert kinds == ["order"] * 6 + ["batch"] * 2 + ["dtype"]  # float32 is what it has
    for variant in result["variants"]:
        if variant["kind"] != "dtype":
            assert (variant["tau"], variant["difference"]) == (1, 0)


class PickyOptions(FirstStageOptions):
    batch_queries: int = 16


class Picky(FirstStageOrder):
    """Takes no batch of 1."""

    Options = PickyOptions

    @classmethod
    def load(cls, options, model_dir=None):
        if options.batch_queries == 1:
            raise ValueError("no batch of 1")
        return cls(options)


def test_what_a_system_refuses_is_said(frozen, tmp_path):
    result = run(frozen, tmp_path, kind=f"{__name__}:Picky")
    small, large = (v for v in result["variants"] if v["kind"] == "batch")
    assert small == {"kind": "batch", "name": "small", "refused": "no batch of 1"}
    assert (large["difference"], large["tau"]) == (0, 1)


def test_a_trained_resrank_is_served_as_its_options_say(resrank_options, tmp_path):
    """Otherwise every variant of it would be the same run, and change nothing."""
    ResRank.from_options(resrank_options).save_pretrained(tmp_path / "m", encoder_trained=False)
    options = changed(
        expanded("resrank", resrank_options.model_dump(mode="json")),
        {"dtype": "bfloat16", "reranker_dtype": "bfloat16", "batch_queries": 1},
    )
    served = ResRankSystem.load(ResRankOptions.model_validate(options), tmp_path / "m")
    assert served.dtype == "bfloat16 + bfloat16"
    assert served.model.options.batch_queries == 1
    plain = ResRankSystem.load(resrank_options, tmp_path / "m")
    assert plain.dtype == "float32 + float32"


def test_other_seeds_are_other_models(frozen, resrank_options, tmp_path):
    models = [tmp_path / f"seed{seed}" for seed in (1, 2)]
    for seed, folder in enumerate(models):
        set_seeds(seed)  # of a decoder's random weights
        ResRank.from_options(resrank_options).save_pretrained(folder, encoder_trained=False)
        (tmp_path / f"{folder.name}.manifest.json").write_text("{}")
    spec = System(kind="resrank", options=resrank_options.model_dump(mode="json"))
    collection, candidates = frozen
    sensitivity(
        SensitivityJob(
            name="s",
            system=spec,
            collection=collection,
            candidates=candidates,
            seeds=[SeededSystem(n, spec, folder) for n, folder in enumerate(models, start=1)],
            out=tmp_path / "out.json",
        )
    )
    result = json.loads((tmp_path / "out.json").read_text())["variants"]
    assert [(v["kind"], v["name"]) for v in result if v["kind"] == "seed"] == [("seed", "seed2")]
    manifest = json.loads((tmp_path / "out.manifest.json").read_text())
    assert len([name for name in manifest["inputs"] if "seed" in name]) == 2


def test_keys_are_changed_within_systems_too():
    part = {"kind": "bi_encoder", "options": {"model": "m"}}
    options = changed(expanded("rank_fusion", {"system": part}), LARGE)
    assert options["system"]["options"]["batch_tokens"] == LARGE["batch_tokens"]
    assert options["system"]["options"]["model"] == "m"


def test_the_largest_change_by_hand():
    one = {"name": "a", "difference": -0.2, "tau": 0.9}
    other = {"name": "b", "difference": 0.1, "tau": 0.5}
    result = largest([one, other])
    assert (result["difference"], result["difference_by"]) == (-0.2, "a")
    assert (result["tau"], result["tau_by"]) == (0.5, "b")
    refused = {"name": "c", "refused": "other weights"}
    assert largest([one, refused])["variants"] == "1 (1 refused)"
    assert largest([]) == {"variants": "0"}
    still = largest([{"name": "d", "difference": -0.00004, "tau": 0.99996}])
    assert (still["difference_by"], still["tau_by"]) == (
        None,
        None,
    )  # nobody is to blame for 0.0000


@pytest.mark.parametrize("key", ["baseline", "sensitivity", "ablation"])
def test_a_system_that_the_suite_lacks(key):
    value = ["bm52"] if key == "sensitivity" else "bm52"
    with pytest.raises(ConfigError, match=f"{key}: 'bm52' is not among the suite's systems: bm25"):
        load_suite({"name": "s", "collections": ["docstrings"], "systems": ["bm25"], key: value})
