"""A suite's runs for other tools: TREC runs with an ir_metadata header (Breuer et al., SIGIR 2022).

The header is YAML in comments, with one part for each letter of PRIMAD: platform, research goal,
implementation, method, actor, data. Fields unknown to this harness, such as a publication, are left
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from resrank.io.atomic import write_text
from resrank.io.manifest import check_run
from resrank.io.trec import METADATA_END, METADATA_START
from resrank.reporting.results import read_json

SCHEMA_VERSION = 0.1
TEST = {"name": "paired randomisation test", "correction method": "Holm", "threshold": 0.05}


def run_files(root: Path) -> list[Path]:
    """Return every system's runs in a suite's folder, without those of encoders alone."""
    paths = root.glob("runs/*/*/*/seed*.trec")
    return sorted(path for path in paths if not path.name.endswith(".encoder.trec"))


def export_runs(root: Path, out: Path, team: str | None) -> list[Path]:
    """Write every run with its header under `out`, in the suite's folder structure."""
    suite = read_json(root / "report.manifest.json")["config"]
    written = []
    for path in run_files(root):
        check_run(path)
        header = metadata(root, path, suite, team)
        target = out / path.relative_to(root)
        write_text(target, commented(header) + path.read_text("utf-8"))
        written.append(target)
    return written


def commented(header: Mapping[str, Any]) -> str:
    """Return a header as comment lines between ir_metadata's markers."""
    text = yaml.safe_dump(header, sort_keys=False, allow_unicode=False, width=10**6)
    lines = [METADATA_START, *(f"# {line}" for line in text.splitlines()), METADATA_END]
    return "".join(f"{line}\n" for line in lines)


def metadata(root: Path, run: Path, suite: Mapping[str, Any], team: str | None) -> dict[str, Any]:
    """Return a run's header, from the manifests of the run, its collection and its model."""
    dataset, stage, system = run.relative_to(root).parts[1:4]
    about = read_json(run.with_suffix(".manifest.json"))
    environment = about.get("environment", {})
    baseline = suite.get("baseline")
    actor = {"actor": {"team": team, "role": "experimenter"}} if team else {}
    return {
        "schema-version": SCHEMA_VERSION,
        "run-version": 1.0,
        "tag": system,
        "platform": _platform(environment),
        "research goal": {
            "evaluation": {"reported measures": suite["metrics"]}
            | ({"baseline": [baseline]} if baseline else {})
            | {"significance test": [TEST]}
        },
        "implementation": {
            "executable": {"cmd": f"snakemake --cores all (suite {suite['name']})"},
            "source": {"lang": "python", "commit": environment.get("git_revision")},
        },
        "method": _method(stage, system, about),
        **actor,
        "data": _data(root, dataset, root / "models" / system / f"{run.stem}.manifest.json"),
    }


def _platform(environment: Mapping[str, Any]) -> dict[str, Any]:
    machine = environment.get("machine", {})
    packages = [f"{name}=={version}" for name, version in environment.get("packages", {}).items()]
    return {
        "hardware": {
            "cpu": {"model": machine.get("processor"), "number of cores": machine.get("cores")}
        },
        "operating system": {"kernel": machine.get("system")},
        "software": {"libraries": {"python": [f"python=={environment.get('python')}", *packages]}},
    }


def _method(stage: str, system: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the first stage, and the reranker with its options."""
    spec = about["config"]
    reranker = {"name": system, "method": spec["kind"], "reranks": stage, "seed": about["seed"]}
    return {
        "automatic": True,
        "score ties": "none: scores fall by one per rank",
        "retrieval": [
            {"name": stage, "method": "first stage"},
            reranker | {"dtype": about.get("dtype"), "options": spec["options"]},
        ],
    }


def _data(root: Path, dataset: str, model: Path) -> dict[str, Any]:
    """Describe the collection with its hash, and the training data of a trained system.

    model: path of the manifest of the system's model, which only a trained system has.
    """
    collection = read_json(root / "collections" / dataset / "manifest.json")
    dataset_id = collection.get("config", {}).get("dataset")
    test = {"name": dataset, "source": collection.get("source"), "hash": collection["hash"]}
    data: dict[str, Any] = {
        "test collection": test | ({"ir_datasets": dataset_id} if dataset_id else {})
    }
    if model.is_file():
        data["training data"] = [_training(root, read_json(model)["inputs"]["collection"])]
    return data


def _training(root: Path, digest: str) -> dict[str, str]:
    """Return the collection with this hash, with its name if the suite's folder holds it."""
    for path in root.glob("collections/*/manifest.json"):
        if read_json(path)["hash"] == digest:
            return {"name": path.parent.name, "hash": digest}
    return {"hash": digest}
