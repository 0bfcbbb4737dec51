import json
import subprocess
import sys


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
