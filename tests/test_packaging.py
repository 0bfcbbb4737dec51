import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from resrank.io.yaml import read_yaml
from resrank.suite.load import load_suite

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def plain(name: str) -> str:
    return re.split(r"[<>=\[;]", name)[0].strip().lower().replace("_", "-")


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {plain(x): x.split("==")[1] for x in lines if x and not x.startswith("#")}


def test_every_requirement_is_pinned():
    extras = [x for group in PROJECT["optional-dependencies"].values() for x in group]
    missing = {plain(x) for x in PROJECT["dependencies"] + extras} - pins().keys()
    assert not missing


def test_torch_pin_accepts_any_build():
    assert pins()["torch"] == "2.13.0"


def test_environment_equals_pyproject_at_the_pinned_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python = next(x for x in environment["dependencies"] if str(x).startswith("python"))
    assert python.removeprefix("python ") == PROJECT["requires-python"]
    listed = next(x for x in environment["dependencies"] if isinstance(x, dict))["pip"]
    wanted = {f"{plain(x)}=={pins()[plain(x)]}" for x in PROJECT["dependencies"]}
    assert {f"{plain(x)}=={x.split('==')[1]}" for x in listed} == wanted


def test_one_version_everywhere():
    version = PROJECT["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


SUITES = [p for p in sorted((ROOT / "config").glob("*.yaml")) if "name" in read_yaml(p)]


@pytest.mark.parametrize("path", SUITES, ids=lambda p: p.stem)
def test_shipped_suites_load(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for spec in read_yaml(path).get("define", {}).get("collections", {}).values():
        for name in (spec[key] for key in ("path", "qrels") if key in spec):
            train = Path(name, "qrels", "train.tsv") if spec["kind"] == "beir" else Path(name)
            train.parent.mkdir(parents=True, exist_ok=True)
            train.touch()
    assert load_suite(path).suite.collections


def test_readme_shows_the_committed_demo_table():
    from resrank.reporting.readme import readme_block

    # The committed table: a run of the demo in this checkout renews the file.
    command = ["git", "show", "HEAD:results/demo/tables/comparison.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a clone of the repository: no committed table to compare with")
    assert readme_block(ROOT / "README.md") == done.stdout.strip()
