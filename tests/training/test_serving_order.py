"""Training lists are in the order of serving, unless the published method shuffles them."""

import pytest

from baselines.first import FirstTraining
from baselines.llm.listwise_options import ListwiseTraining
from baselines.pe_rank.options import PERankTraining
from resrank.io.shipped_files import CONFIG_DIR
from resrank.io.yaml import read_yaml
from resrank.suite.schema import System

FILES = sorted(CONFIG_DIR.glob("*.yaml"))


def orders(path):
    """Return the orders of the training lists of a file's systems, by system."""
    content = read_yaml(path)
    systems = content.get("systems") or content.get("define", {}).get("systems", {})
    trained = {
        name: System.model_validate(entry).typed_training
        for name, entry in (systems.items() if isinstance(systems, dict) else ())
        if "kind" in entry
    }
    return {
        name: {stage["order"] for stage in [about, *about.get("stages", [])] if "order" in stage}
        for name, training in trained.items()
        if training is not None
        for about in [training.model_dump()]
    }


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_shipped_recipe_trains_in_serving_order(path):
    assert not {name: listed for name, listed in orders(path).items() if listed - {"first_stage"}}


def test_recipes_with_lists_are_among_the_shipped():
    shipped = {name for path in FILES for name, listed in orders(path).items() if listed}
    assert {"resrank", "resrank_joint", "e2rank_tiny", "resrank_4b"} <= shipped


def test_the_defaults():
    assert PERankTraining().order == "first_stage"
    for training in (ListwiseTraining, FirstTraining):  # RankVicuna's recipe
        assert training().order == "shuffled"
        assert "RankVicuna" in training.model_fields["order"].description
