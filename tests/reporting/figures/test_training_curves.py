"""Training curves from logs in the form that `train` writes."""

import json

import pandas as pd

from resrank.io.manifest import write_manifest
from resrank.reporting.figures.training_curves import conditions, looks, sizes, training_curves
from resrank.reporting.training_logs import read_log
from resrank.suite.load import load_suite


def write_log(folder, seed=1, steps=6, dtype="float32", device="cpu", phases=("stage 1",)):
    """Write a log with two epochs per phase, in batches of 4, 4 and 2 queries."""
    rows = [
        {"phase": phase, "step": step, "epoch": (step - 1) // 3, "ranking": 1 / (step + seed),
         "batch": 2 if step % 3 == 0 else 4, "unit": "queries", "dtype": dtype, "device": device}
        for phase in phases for step in range(1, steps + 1)
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"seed{seed}.log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_manifest(folder / f"seed{seed}.manifest.json", inputs={}, config={})
    return path


def test_the_sample_and_the_batch_size(tmp_path):
    log = pd.concat([read_log(write_log(tmp_path, seed), seed) for seed in (1, 2)])
    assert sizes(log) == "10 queries, 4 per step"
    two = read_log(write_log(tmp_path, phases=("stage 1", "stage 2")), 1)
    assert sizes(two) == "stage 1: 10 queries, 4 per step\nstage 2: 10 queries, 4 per step"
    assert two["at"].tolist() == list(range(1, 13))


def test_machines_and_number_formats(tmp_path):
    log = read_log(write_log(tmp_path), 1).assign(processor="A chip")
    other = log.assign(device="A card", dtype="bfloat16, weights float32")
    assert conditions([("one", log), ("two", log)]) == "Trained on A chip, float32."
    assert conditions([("one", log), ("two", other)]) == (
        "Trained on A chip, float32 (one); A card and A chip, bfloat16, weights float32 (two)."
    )


def test_each_loss_has_one_look_in_every_panel(tmp_path):
    log = read_log(write_log(tmp_path), 1)
    other = log.assign(**dict.fromkeys("abcdef", 1.0))
    by_name = looks([("one", log), ("two", other)])
    assert list(by_name) == ["ranking", *"abcdef"]
    assert len(set(by_name.values())) == 7
    assert by_name["ranking"] == looks([("one", log)])["ranking"]


def test_the_figure_has_labels_samples_and_conditions(tmp_path):
    systems = {"tiny": {"kind": "resrank", "label": "Tiny", "training": {}}}
    suite = {"name": "x", "collections": ["docstrings"], "systems": ["tiny"], "seeds": [1, 2]}
    for seed in (1, 2):
        write_log(tmp_path / "models" / "tiny", seed)
    resolved = load_suite(suite | {"define": {"systems": systems}})
    drawn = training_curves(resolved, tmp_path, "Note. ", tmp_path / "figures" / "training_curves")
    svg = drawn[0].read_text()
    for part in ("Tiny", "10 queries, 4 per step", "optimiser step", ", float32."):
        assert part in svg
