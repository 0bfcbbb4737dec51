import json
import re
import subprocess
import sys
from importlib.metadata import version
from typing import get_args

import pytest

from baselines.llm.prompts.answers import Rule
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


RUNS, NONE = '[["bm25", 0, "x.trec"]]', "{}"


@pytest.mark.parametrize(
    ("runs", "learned", "metrics", "said"),
    [
        ('[["bm25", 0]]', NONE, '["nDCG@10"]', "--runs: .*give .*system, seed, run file"),
        ("[1]", NONE, '["nDCG@10"]', "--runs: .*give .*system, seed, run file"),
        (RUNS, '{"bm25": 3}', '["nDCG@10"]', "--trained-on: .*give {system: .collection folder"),
        (RUNS, NONE, "[1]", "--metrics: .*give .metric, "),
    ],
)
def test_json_of_another_form_is_said_plainly(tmp_path, beir, runs, learned, metrics, said):
    spec = json.dumps({"kind": "beir", "path": str(beir)})
    assert run("collect", "--spec", spec, "--out", tmp_path / "c").returncode == 0
    found = run("score", "--collection", tmp_path / "c", "--candidates", "x", "--runs", runs,
                "--trained-on", learned, "--metrics", metrics, "--out", "o", "--audits", "a")  # fmt: skip
    assert re.search(f"^error: {said}", found.stderr)
    assert "Traceback" not in found.stderr


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
        (["collect", "--spec", "[]"], "--spec: '[]' is of another form; give an object"),
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


def test_a_replay_of_other_windows_says_what_to_check(tmp_path):
    hits = [{"content": f"p {n}", "docid": str(n), "rank": n + 1, "score": -n} for n in range(6)]
    lists = [{"query": f"query {q}", "qid": str(q), "hits": hits} for q in range(2)]
    (tmp_path / "lists.json").write_text(json.dumps(lists))
    rows = [{"prompt": f"rank for query {n // 2}", "response": "[1]"} for n in range(4)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    found = run("replay", "--candidates", tmp_path / "lists.json", "--window", "4", "--step", "1",
                "--responses", tmp_path / "answers.jsonl", "--out", tmp_path / "my.run")  # fmt: skip
    assert (
        "does not hold the query 'query 0': answers for other candidates or windows" in found.stderr
    )
    assert "check --candidates, --window, --step and --depth" in found.stderr


def test_a_parser_is_a_choice(tmp_path):
    found = run(
        "replay", "--candidates", "x", "--responses", "y", "--parser", "digits", "--out", "z"
    )
    assert found.returncode == 2
    assert "'any_digits', 'bracketed', 'strict'" in " ".join(found.stderr.split())


def test_the_choices_are_the_parsers_rules():
    assert [choice.value for choice in Parser] == list(get_args(Rule))
