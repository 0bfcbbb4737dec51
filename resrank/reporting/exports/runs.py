"""A suite's runs as others take them: TREC runs headed by ir_metadata (Breuer et al., SIGIR 2022).

The header is YAML in comments, a part for each of PRIMAD: platform, research goal, implementation,
method, actor, data. What this harness does not know, a publication say, is left out.
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
    """Every system's runs under a suite's folder, those of its encoders left out."""
    found = root.glob("runs/*/*/*/seed*.trec")
    return sorted(path for path in found if not path.name.endswith(".encoder.trec"))


def export_runs(root: Path, out: Path, team: str | None) -> list[Path]:
    """Write every run with its header under `out`, in the suite's own folders."""
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
    """A header as comment lines between ir_metadata's marks."""
    text = yaml.safe_dump(header, sort_keys=False, allow_unicode=False, width=10**6)
    lines = [METADATA_START, *(f"# {line}" for line in text.splitlines()), METADATA_END]
    return "".join(f"{line}\n" for line in lines)


def metadata(root: Path, run: Path, suite: Mapping[str, Any], team: str | None) -> dict[str, Any]:
    """What a run's header says, from the manifests beside it and below it."""
    dataset, stage, system = run.relative_to(root).parts[1:4]
    about = read_json(run.with_suffix(".manifest.json"))
    made = about.get("environment", {})
    baseline = suite.get("baseline")
    actor = {"actor": {"team": team, "role": "experimenter"}} if team else {}
    return {
        "schema-version": SCHEMA_VERSION,
        "run-version": 1.0,
        "tag": system,
        "platform": _platform(made),
        "research goal": {
            "evaluation": {"reported measures": suite["metrics"]}
            | ({"baseline": [baseline]} if baseline else {})
            | {"significance test": [TEST]}
        },
        "implementation": {
            "executable": {"cmd": f"snakemake --cores all (suite {suite['name']})"},
            "source": {"lang": "python", "commit": made.get("git_revision")},
        },
        "method": _method(stage, system, about),
        **actor,
        "data": _data(root, dataset, root / "models" / system / f"{run.stem}.manifest.json"),
    }


def _platform(made: Mapping[str, Any]) -> dict[str, Any]:
    machine = made.get("machine", {})
    packages = [f"{name}=={version}" for name, version in made.get("packages", {}).items()]
    return {
        "hardware": {
            "cpu": {"model": machine.get("processor"), "number of cores": machine.get("cores")}
        },
        "operating system": {"kernel": machine.get("system")},
        "software": {"libraries": {"python": [f"python=={made.get('python')}", *packages]}},
    }


def _method(stage: str, system: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """The first stage, and what reranks it with which options."""
    spec = about["config"]
    reranker = {"name": system, "method": spec["kind"], "reranks": stage, "seed": about["seed"]}
    return {
        "automatic": True,
        "score ties": "none: scores fall by one a rank",
        "retrieval": [
            {"name": stage, "method": "first stage"},
            reranker | {"dtype": about.get("dtype"), "options": spec["options"]},
        ],
    }


def _data(root: Path, dataset: str, learned_from: Path) -> dict[str, Any]:
    """The collection with its hash; and what the system was trained on, if it was.

    learned_from: where the manifest of the system's trained model would lie.
    """
    collection = read_json(root / "collections" / dataset / "manifest.json")
    found = collection.get("config", {}).get("dataset")
    test = {"name": dataset, "source": collection.get("source"), "hash": collection["hash"]}
    data: dict[str, Any] = {"test collection": test | ({"ir_datasets": found} if found else {})}
    if learned_from.is_file():
        data["training data"] = [_learned(root, read_json(learned_from)["inputs"]["collection"])]
    return data


def _learned(root: Path, digest: str) -> dict[str, str]:
    """The collection of a hash, by its name where the suite's folder holds it."""
    for path in root.glob("collections/*/manifest.json"):
        if read_json(path)["hash"] == digest:
            return {"name": path.parent.name, "hash": digest}
    return {"hash": digest}
