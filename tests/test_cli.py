import json
import subprocess
import sys
from importlib.metadata import version
from typing import get_args

import pytest

from baselines.llm.parsing import Rule
from resrank.cli.tools import Parser


def run(*words):
    command = [sys.executable, "-m", "resrank", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_names_every_verb():
    said = run("--help")
    assert said.returncode == 0
    for verb in ("evaluate", "collect", "candidates", "train", "rerank", "measure", "report"):
        assert verb in said.stdout


def test_evaluate_prints_json(tmp_path):
    (tmp_path / "q").write_text("1 0 a 1\n")
    (tmp_path / "r").write_text("1 Q0 a 1 1 t\n")
    said = run("evaluate", "--qrels", tmp_path / "q", "--run", tmp_path / "r", "--json")
    assert json.loads(said.stdout)["metrics"]["nDCG@10"] == 1.0


def test_mistakes_end_in_one_clear_line(tmp_path):
    (tmp_path / "q").write_text("1 0 a 1\n")
    (tmp_path / "r").write_text("1 Q0 a 1 nan t\n")
    said = run("evaluate", "--qrels", tmp_path / "q", "--run", tmp_path / "r")
    assert said.returncode != 0
    assert said.stderr.startswith("error: ")
    assert "r:1: score 'nan'" in said.stderr
    missing = run("evaluate", "--qrels", tmp_path / "q", "--run", tmp_path / "none")
    assert "cannot read" in missing.stderr
    wrong = run("collect", "--spec", '{"kind": "beir", "pth": "x"}', "--out", tmp_path / "o")
    assert "unknown key pth; known: " in wrong.stderr
    assert "Traceback" not in said.stderr + missing.stderr + wrong.stderr


def test_the_version():
    said = run("--version")
    assert (said.returncode, said.stdout.strip()) == (0, f"resrank {version('resrank')}")


def test_help_shows_what_stands_in_angle_brackets():
    assert "results/<suite>" in run("report", "--help").stdout
    assert "<out>.usage.parquet" in run("replay", "--help").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["collect", "--spec", "{kind: beir}"], "--spec: '{kind: beir}' is not JSON"),
        (["collect", "--spec", "[]"], "--spec: '[]' is list; give an object"),
        (["collect", "--spec", '{"kind": "beirr"}'],
         "error: unknown 'kind' 'beirr'; known: 'docstrings', 'beir', 'candidates', 'ir_datasets'"),
        (["collect", "--spec", '{"path": "x"}'], "error: no 'kind'; docs/configuration.md"),
        (["replay", "--candidates", "x", "--responses", "y", "--step", "30"],
         "error: step 30 is larger than size 20"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_said_plainly(tmp_path, words, said):
    found = run(*words, "--out", tmp_path / "o")
    assert found.returncode == 1
    assert said in found.stderr
    assert "top level" not in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("answers", "said"),
    [(3, "holds 3 answers, fewer than there are windows: 4 are expected; check --window"),
     (6, ":5: 2 answers are left over; check --window"), (4, None)],
)  # fmt: skip
def test_a_replay_counts_its_windows(tmp_path, answers, said):
    lists = [
        {"query": f"query {q}", "hits": [{"content": f"passage {n}", "qid": q, "docid": f"{q}-{n}",
                                          "rank": n + 1, "score": -n} for n in range(6)]}
        for q in range(2)
    ]  # fmt: skip
    (tmp_path / "lists.json").write_text(json.dumps(lists))
    rows = [json.dumps({"response": "[4] > [3] > [2] > [1]"})] * answers
    (tmp_path / "answers.jsonl").write_text("\n".join(rows) + "\n")
    found = run("replay", "--candidates", tmp_path / "lists.json",
                "--responses", tmp_path / "answers.jsonl", "--window", "4", "--step", "2",
                "--out", tmp_path / "my.run")  # fmt: skip
    assert (tmp_path / "my.run").exists() == (tmp_path / "my.usage.parquet").exists() == (not said)
    assert found.returncode == (1 if said else 0)
    assert (said or "4 answers, 4 clean") in found.stderr + found.stdout


def test_a_parser_is_a_choice(tmp_path):
    found = run(
        "replay", "--candidates", "x", "--responses", "y", "--parser", "digits", "--out", "z"
    )
    assert found.returncode == 2
    assert "'any_digits', 'bracketed', 'strict'" in " ".join(found.stderr.split())


def test_the_choices_are_the_parsers_rules():
    assert [choice.value for choice in Parser] == list(get_args(Rule))
