"""What a job's sources are: the files that its module and its system import, and no others."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resrank.io import source_hash
from resrank.io.source_hash import closure, hash_of_sources
from resrank.registry import KINDS
from resrank.suite.entry_classes import system_classes, training_classes
from resrank.suite.library import library
from resrank.suite.schema import System
from tests.conftest import ROOT

JOBS = [
    "resrank.candidates.freeze", "resrank.jobs.encode", "resrank.jobs.train",
    "resrank.jobs.rerank", "resrank.jobs.measure", "resrank.jobs.sensitivity",
    "resrank.jobs.merge_shards", "resrank.evaluation.score", "resrank.evaluation.all_pairs",
    "resrank.evaluation.calibration", "resrank.reporting.report", "resrank.reporting.page.build",
]  # fmt: skip
SUITE = ROOT / "tests" / "trained_systems.yaml"
CHANGES = """
import json, sys
from pathlib import Path
from resrank.io import source_hash
from resrank.io.source_hash import hash_of_sources
from resrank.candidates.kinds import FIRST_STAGES
from resrank.collections.kinds import COLLECTIONS
from resrank.suite.load import load_suite
from resrank.suite.entry_classes import collection_class, first_stage_class, system_classes
suite = load_suite(Path(sys.argv[3]))

def hashes(jobs):
    source_hash._sha256.cache_clear()
    result = {job: hash_of_sources(job) for job in jobs}
    for name, system in suite.systems.items():
        result[name] = hash_of_sources(*system_classes(system), trains=False)
        if system.training is not None:
            result[f"train {name}"] = hash_of_sources(*system_classes(system))
    result |= {f"collection {kind}": hash_of_sources(collection_class(kind)) for kind in COLLECTIONS.classes}
    result |= {f"first stage {kind}": hash_of_sources(first_stage_class(kind)) for kind in FIRST_STAGES.classes}
    return result

jobs, edits = map(json.loads, sys.argv[1:3])
before = hashes(jobs)
changes = {"all": list(before)}
for file in map(Path, edits):
    text = file.read_text()
    file.write_text(text + "\\n# edited\\n")
    after = hashes(jobs)
    file.write_text(text)
    changes[str(file)] = [name for name in before if after[name] != before[name]]
assert hashes(jobs) == before
assert "torch" not in sys.modules
print(json.dumps(changes))
"""
"""Print the names of what has a hash, and those whose hash each edit changes."""


def names(*modules: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in closure(*modules)}


def files_of(system: str) -> set[str]:
    return names(*system_classes(library().systems[system]))


def ranking_files_of(system: str) -> set[str]:
    files = closure(*system_classes(library().systems[system]), trains=False)
    return {path.relative_to(ROOT).as_posix() for path in files}


RESRANK = {"resrank", "resrank_no_residual"}
EMBEDDING = {"bi_encoder", "rrf_bm25_bi_encoder", "bi_encoder_tuned", "rrf_bm25_bi_encoder_tuned"}
COLLECTIONS = {f"collection {k}" for k in ("beir", "candidates", "docstrings", "ir_datasets")}
STATISTICS = {"resrank.evaluation.all_pairs", "resrank.reporting.report"}
TRAINED_ENCODER = {f"train {name}" for name in ("bi_encoder_tuned", "e2rank_tiny", *RESRANK)}
TRAINED_LISTWISE = {f"train {name}" for name in ("first_tiny", "rankgpt_tiny")}
TRAINED = TRAINED_ENCODER | TRAINED_LISTWISE | {"train cross_encoder", "train pe_rank_tiny"}


EDITS = [
        ("baselines/first.py", {"first_tiny", "train first_tiny"}),
        ("baselines/bi_encoder.py", {*EMBEDDING, "train bi_encoder_tuned"}),
        ("baselines/e2rank/training.py", {"train e2rank_tiny"}),
        ("resrank/training/loop.py", TRAINED),
        ("resrank/training/encoder_loop.py", TRAINED_ENCODER),
        ("baselines/llm/listwise_training.py", TRAINED_LISTWISE),
        ("baselines/llm/prompts/rankgpt.yaml", {"first_tiny", "rankgpt_tiny", *TRAINED_LISTWISE}),
        ("resrank/reporting/tables/write.py", {"resrank.reporting.report"}),
        ("resrank/reporting/page/page.css", {"resrank.reporting.page.build"}),
        ("resrank/jobs/rerank.py", {"resrank.jobs.rerank"}),
        ("resrank/collections/docstrings.py", {"collection docstrings"}),
        ("resrank/collections/download.py", COLLECTIONS),
        ("resrank/candidates/bm25.py", {"first stage bm25"}),
        ("resrank/evaluation/significance.py", STATISTICS),
        ("resrank/registry.py", set()),
        ("resrank/collections/kinds.py", set()),
        ("resrank/candidates/kinds.py", set()),
        ("resrank/cli/jobs.py", set()),
        ("resrank/suite/plan.py", set()),
        ("resrank/jobs/from_suite.py", set()),
]  # fmt: skip
ENCODER = "resrank/model/encoder.py"


@pytest.fixture(scope="module")
def changes(tmp_path_factory) -> dict[str, set[str]]:
    """Return the names whose hash an edit changes, by file, in a copy of the project."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("resrank", "baselines", "config"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    edits = [file for file, _ in EDITS] + [ENCODER]
    done = subprocess.run(
        [sys.executable, "-c", CHANGES, json.dumps(JOBS), json.dumps(edits), str(SUITE)],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {file: set(changed) for file, changed in json.loads(done.stdout).items()}


@pytest.mark.parametrize(("file", "changed"), EDITS)
def test_an_edit_changes_the_hash_of_what_imports_the_file(changes, file, changed):
    assert changes[file] == changed


def test_an_edit_of_the_encoder_changes_what_embeds(changes):
    changed = changes[ENCODER]
    assert {"resrank.jobs.encode", "first stage dense", *RESRANK, *EMBEDDING} <= changed
    untouched = {"bm25", "resrank.jobs.rerank", "resrank.evaluation.score", "first stage bm25",
                 "resrank.reporting.report", "collection docstrings"}  # fmt: skip
    assert not untouched & changed
    assert untouched <= changes["all"]


def test_a_system_has_its_folder_and_what_it_imports_inside_functions():
    files = files_of("cross_encoder")
    assert {"baselines/cross_encoder/reranker.py", "baselines/cross_encoder/training.py"} <= files
    assert not [file for file in files if file.startswith("baselines/llm")]
    judge = files_of("rag_match_8b")
    folder = {f"baselines/rag_match/{p.name}" for p in (ROOT / "baselines/rag_match").glob("*.py")}
    assert folder <= judge
    assert "baselines/llm/backends/transformers.py" in judge
    assert "resrank/model/encoder.py" in files_of("bi_encoder")  # imported lazily
    assert "resrank/training/resrank_loop.py" in files_of("resrank")


@pytest.mark.parametrize("system", ["bi_encoder", "cross_encoder", "rag_match_8b", "resrank"])
def test_what_only_train_imports_is_no_source_of_a_ranking(system):
    left_out = files_of(system) - ranking_files_of(system)
    assert "resrank/training/loop.py" in left_out
    assert {"reranker.py", "judge.py", "encoder.py"}.isdisjoint(Path(f).name for f in left_out)


def test_a_training_module_that_a_reranker_imports_at_its_top_is_a_source_of_a_ranking():
    assert "resrank/training/mixture.py" in ranking_files_of("resrank")
    assert "resrank/training/options.py" in ranking_files_of("bi_encoder")


def test_an_import_for_type_checking_is_no_source(tmp_path, monkeypatch):
    (tmp_path / "typed.py").write_text(
        "import typing\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import resrank.windows\nelse:\n    import resrank.shards\n"
        "if typing.TYPE_CHECKING:\n    import resrank.phases\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    files = set(closure("typed"))
    assert ROOT / "resrank/shards.py" in files
    assert files.isdisjoint({ROOT / "resrank/windows.py", ROOT / "resrank/phases.py"})


def test_only_the_method_train_of_a_class_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "learner.py").write_text(
        "class Learner:\n    @classmethod\n    def train(cls):\n        import resrank.windows\n"
        "def train():\n    import resrank.phases\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    paths = {ROOT / "resrank/windows.py", ROOT / "resrank/phases.py"}
    assert paths <= set(closure("learner"))
    assert paths & set(closure("learner", trains=False)) == {ROOT / "resrank/phases.py"}


def test_a_system_within_a_system_is_among_its_sources():
    assert "baselines/bi_encoder.py" in files_of("rrf_bm25_bi_encoder")
    files = files_of("rankgpt_endpoint")  # its `llm` has a `kind`, too, but is no reranker
    assert {"baselines/rankgpt.py", "baselines/llm/backends/http.py"} <= files


@pytest.mark.parametrize("job", JOBS)
def test_a_job_imports_neither_the_command_line_nor_the_baselines(job):
    files = names(job)
    assert not [file for file in files if file.startswith(("baselines/", "resrank/cli/"))]
    assert not [
        file for file in files if file.startswith("resrank/suite/") and "__init__" not in file
    ]
    if not job.startswith("resrank.reporting"):
        assert not [file for file in files if file.startswith("resrank/reporting/")]


def test_training_on_own_text_depends_on_its_first_stage():
    labelled, own_text = (
        training_classes(System(kind="bi_encoder", training=training))
        for training in ({}, {"queries": "own_text", "max_queries": 5})
    )
    assert "resrank/candidates/bm25.py" in names(*own_text)
    assert "resrank/candidates/bm25.py" not in names(*labelled)


def test_every_kind_is_located():
    for kind in KINDS:
        (entry,) = system_classes(System.model_construct(kind=kind, options={}))
        assert f"{entry.partition(':')[0].replace('.', '/')}.py" in names(entry)


def test_a_kind_that_becomes_another_class_of_its_module_has_another_hash():
    first, second = (
        f"resrank.resrank_reranker:{name}" for name in ("ResRankSystem", "SavedResRank")
    )
    assert closure(first) == closure(second)
    assert hash_of_sources(first) != hash_of_sources(second)


def test_a_users_module_is_located_without_being_imported(tmp_path, monkeypatch):
    (tmp_path / "helper.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "mine.py").write_text(
        "import json\nimport torch\nfrom resrank.windows import Window\n"
        "def load():\n    import helper\nraise SystemExit('imported')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    files = closure("mine")
    assert {tmp_path / "mine.py", tmp_path / "helper.py", ROOT / "resrank/windows.py"} <= set(files)
    assert not [file for file in files if "site-packages" in str(file) or "json" in str(file)]
    assert closure("nowhere_at_all") == ()


def test_a_users_folder_may_move(tmp_path, monkeypatch):
    """The hash of a module's sources holds no folder above its package."""

    def hash_in(folder: str) -> str:
        package = tmp_path / folder / "my_package"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "prompt.txt").write_text("Rank these.")
        (package / "mine.py").write_text("import helper_of_mine\nfrom . import other\n")
        (package / "other.py").write_text("import json\n")
        (tmp_path / folder / "helper_of_mine.py").write_text("VALUE = 1\n")
        monkeypatch.syspath_prepend(str(tmp_path / folder))
        for name in ("closure", "locate", "_named_closure", "_imports", "_parsed", "_data"):
            vars(source_hash)[name].cache_clear()
        assert tmp_path / folder / "my_package/prompt.txt" in closure("my_package.mine")
        return source_hash.hash_of_sources("my_package.mine")

    assert hash_in("a") == hash_in("moved/z")
