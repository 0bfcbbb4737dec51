import json
from importlib.metadata import version
from typing import get_args

import pytest
import yaml
from typer.main import get_command

from baselines.llm.answers import Rule
from resrank.cli import app
from resrank.cli.tools import Parser
from tests.dag import resrank as run


def test_help_names_what_people_use_and_job_help_what_rules_call():
    verbs, jobs = run("--help"), run("job", "--help")
    assert (verbs.returncode, jobs.returncode) == (0, 0)
    assert [*get_command(app).commands] == [
        "evaluate", "compare", "plan", "export", "export-candidates", "growth", "claims",
        "collections", "model", "replay", "page", "readme", "job",
    ]  # fmt: skip
    for name in get_command(app).commands:
        assert f" {name} " in verbs.stdout
    for name in ("collect", "candidates", "train", "rerank", "merge-runs", "measure", "report"):
        assert f" {name} " in jobs.stdout


COMMANDS = get_command(app).commands
JOBS = {f"job {name}": command for name, command in COMMANDS["job"].commands.items()}


@pytest.mark.parametrize("name", [*COMMANDS, *JOBS])
def test_every_command_has_an_example(name):
    text = " ".join((COMMANDS | JOBS)[name].help.split())
    assert f"Example: `python -m resrank {name}" in text


def suite_file(folder):
    define = {"systems": {"bm25": {"kind": "first_stage"}}}
    suite = {"name": "s", "collections": ["docstrings"], "systems": ["bm25"], "define": define}
    (folder / "s.yaml").write_text(yaml.safe_dump(suite))
    return folder / "s.yaml"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("rerank --collection docstrings --first-stage bm25 --system bm25",
         "no results/s/candidates/docstrings/bm25.parquet; make it with `python -m resrank job "
         "candidates --collection docstrings --first-stage bm25 --suite .*s.yaml`"),
        ("candidates --collection docstrings --first-stage bm25",
         "no results/s/collections/docstrings/manifest.json; make it with `python -m resrank job "
         "collect --collection docstrings --suite "),
        ("rerank --collection nowhere --first-stage bm25 --system bm25", "no .*nowhere/bm25.parquet"),
        ("collect --collection nowhere", "unknown collection 'nowhere'; known: .*docstrings"),
        ("candidates --collection docstrings --first-stage bm52", "unknown first stage 'bm52'; known: bm25"),
        ("rerank --collection docstrings --first-stage bm25 --system bm52", "unknown system 'bm52'"),
        ("rerank --collection docstrings --first-stage bm25 --system bm25 --seed 7",
         "system 'bm25' has no seed 7; allowed: 0"),
        ("rerank --collection docstrings --first-stage bm25 --system bm25 --shard 1", "shard '1'; write it"),
        ("train --system bm25", "system 'bm25' is not trained: its entry has no `training`"),
        ("encode --collection docstrings --encoder x", "unknown encoder 'x'; the suite has none"),
        ("merge-runs --collection docstrings --first-stage bm25 --system bm25", "has no `shards`"),
        ("significance --collection docstrings --first-stage bm25", "job score --collection docs"),
        ("report", "no results/s/scores/docstrings/bm25.parquet; make it with"),
    ],
)  # fmt: skip
def test_a_job_names_what_is_missing(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    name, *others = words.split()
    file = suite_file(tmp_path)
    with pytest.raises((ValueError, OSError), match=message):
        app(["job", name, "--suite", str(file), *others], standalone_mode=False)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


def test_evaluate_prints_json(tmp_path):
    (tmp_path / "q").write_text("1 0 a 1\n")
    (tmp_path / "r").write_text("1 Q0 a 1 1 t\n")
    output = run("evaluate", "--qrels", tmp_path / "q", "--run", tmp_path / "r", "--json")
    assert json.loads(output.stdout)["metrics"]["nDCG@10"] == 1.0


def test_mistakes_end_in_one_clear_line(tmp_path):
    (tmp_path / "q").write_text("1 0 a 1\n")
    (tmp_path / "r").write_text("1 Q0 a 1 nan t\n")
    output = run("evaluate", "--qrels", tmp_path / "q", "--run", tmp_path / "r")
    assert output.returncode != 0
    assert output.stderr.startswith("error: ")
    assert "r:1: score 'nan'" in output.stderr
    missing = run("evaluate", "--qrels", tmp_path / "q", "--run", tmp_path / "none")
    assert "cannot read" in missing.stderr
    collections = {"mine": {"kind": "beir", "pth": "x"}}
    suite = {"name": "s", "collections": ["mine"], "systems": ["bm25"]}
    (tmp_path / "s.yaml").write_text(
        yaml.safe_dump(suite | {"define": {"collections": collections}})
    )
    wrong = run("job", "collect", "--suite", tmp_path / "s.yaml", "--collection", "mine")
    assert "unknown key pth; known: " in wrong.stderr
    assert "Traceback" not in output.stderr + missing.stderr + wrong.stderr


def test_the_version():
    output = run("--version")
    assert (output.returncode, output.stdout.strip()) == (0, f"resrank {version('resrank')}")


def test_help_shows_what_stands_in_angle_brackets():
    assert "results/<suite>" in run("page", "--help").stdout
    assert "<out>.usage.parquet" in run("replay", "--help").stdout


def test_a_step_that_is_larger_than_its_window_is_named(tmp_path):
    done = run("replay", "--candidates", "x", "--responses", "y", "--step", "30", "--out", "o")
    assert done.returncode == 1
    assert "error: step 30 is larger than size 20" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("answers", "output"),
    [(3, "holds 3 answers, fewer than there are windows: 4 are expected; check --window"),
     (6, ":5: 2 answers are left over; check --window"), (4, None)],
)  # fmt: skip
def test_a_replay_counts_its_windows(tmp_path, answers, output):
    lists = [
        {"query": f"query {q}", "hits": [{"content": f"passage {n}", "qid": q, "docid": f"{q}-{n}",
                                          "rank": n + 1, "score": -n} for n in range(6)]}
        for q in range(2)
    ]  # fmt: skip
    (tmp_path / "lists.json").write_text(json.dumps(lists))
    rows = [json.dumps({"response": "[4] > [3] > [2] > [1]"})] * answers
    (tmp_path / "answers.jsonl").write_text("\n".join(rows) + "\n")
    result = run("replay", "--candidates", tmp_path / "lists.json",
                "--responses", tmp_path / "answers.jsonl", "--window", "4", "--step", "2",
                "--out", tmp_path / "my.run")  # fmt: skip
    assert (
        (tmp_path / "my.run").exists() == (tmp_path / "my.usage.parquet").exists() == (not output)
    )
    assert result.returncode == (1 if output else 0)
    assert (output or "4 answers, 4 clean") in result.stderr + result.stdout


def test_a_replay_of_other_windows_says_what_to_check(tmp_path):
    hits = [{"content": f"p {n}", "docid": str(n), "rank": n + 1, "score": -n} for n in range(6)]
    lists = [{"query": f"query {q}", "qid": str(q), "hits": hits} for q in range(2)]
    (tmp_path / "lists.json").write_text(json.dumps(lists))
    rows = [{"prompt": f"rank for query {n // 2}", "response": "[1]"} for n in range(4)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    result = run("replay", "--candidates", tmp_path / "lists.json", "--window", "4", "--step", "1",
                "--responses", tmp_path / "answers.jsonl", "--out", tmp_path / "my.run")  # fmt: skip
    assert (
        "does not hold the query 'query 0': answers for other candidates or windows"
        in result.stderr
    )
    assert "check --candidates, --window, --step and --depth" in result.stderr


def test_a_parser_is_a_choice(tmp_path):
    result = run(
        "replay", "--candidates", "x", "--responses", "y", "--parser", "digits", "--out", "z"
    )
    assert result.returncode == 2
    assert "'any_digits', 'bracketed', 'strict'" in " ".join(result.stderr.split())


def test_the_choices_are_the_parsers_rules():
    assert [choice.value for choice in Parser] == list(get_args(Rule))
