"""What a job's sources are: the files that its module and its system import, and no others."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resrank.io.source_hash import closure
from resrank.registry import KINDS
from resrank.suite.entry_modules import system_modules
from resrank.suite.library import library
from resrank.suite.schema import System
from tests.conftest import ROOT

JOBS = [
    "resrank.candidates.freeze", "resrank.jobs.encode", "resrank.jobs.train",
    "resrank.jobs.rerank", "resrank.jobs.measure", "resrank.jobs.sensitivity",
    "resrank.jobs.merge_shards", "resrank.evaluation.score", "resrank.evaluation.all_pairs",
    "resrank.evaluation.calibration", "resrank.reporting.report", "resrank.reporting.page.build",
]  # fmt: skip
HASHES = """
import json, sys
from pathlib import Path
from resrank.io.source_hash import hash_of_sources
from resrank.suite.load import load_suite
from resrank.suite.entry_modules import collection_module, first_stage_module, system_modules
suite = load_suite(Path("config/config.yaml"))
hashes = {job: hash_of_sources(job) for job in json.loads(sys.argv[1])}
hashes |= {name: hash_of_sources(*system_modules(spec)) for name, spec in suite.systems.items()}
hashes |= {f"collection {kind}": hash_of_sources(collection_module(kind)) for kind in ("docstrings", "beir")}
hashes |= {f"first stage {kind}": hash_of_sources(first_stage_module(kind)) for kind in ("bm25", "dense")}
assert "torch" not in sys.modules
print(json.dumps(hashes))
"""


def names(*modules: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in closure(*modules)}


def files_of(system: str) -> set[str]:
    return names(*system_modules(library().systems[system]))


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    for name in ("resrank", "baselines", "config"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", HASHES, json.dumps(JOBS)], cwd=folder, check=True,
        env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def before(clone) -> dict[str, str]:
    return hashes(clone)


RESRANK = {"resrank", "resrank_no_residual"}
EMBEDDING = {"bi_encoder", "rrf_bm25_bi_encoder", "bi_encoder_tuned", "rrf_bm25_bi_encoder_tuned"}


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("baselines/first.py", {"first_tiny"}),
        ("baselines/bi_encoder.py", EMBEDDING),
        ("baselines/e2rank/training.py", {"e2rank_tiny"}),
        ("baselines/llm/prompts/rankgpt.yaml", {"first_tiny", "rankgpt_tiny"}),
        ("resrank/reporting/tables/write.py", {"resrank.reporting.report"}),
        ("resrank/reporting/page/page.css", {"resrank.reporting.page.build"}),
        ("resrank/jobs/rerank.py", {"resrank.jobs.rerank"}),
        ("resrank/collections/docstrings.py", {"collection docstrings"}),
        ("resrank/candidates/bm25.py", {"first stage bm25"}),
        ("resrank/cli/jobs.py", set()),
        ("resrank/suite/plan.py", set()),
        ("resrank/jobs/from_suite.py", set()),
    ],
)  # fmt: skip
def test_an_edit_changes_the_hash_of_what_imports_the_file(clone, before, file, changed):
    source = clone / file
    text = source.read_text()
    try:
        source.write_text(text + "\n# edited\n")
        after = hashes(clone)
    finally:
        source.write_text(text)
    assert {name for name in before if after[name] != before[name]} == changed


def test_an_edit_of_the_encoder_changes_what_embeds(clone, before):
    source = clone / "resrank/model/encoder.py"
    source.write_text(source.read_text() + "\n# edited\n")
    after = hashes(clone)
    changed = {name for name in before if after[name] != before[name]}
    assert {"resrank.jobs.encode", "first stage dense", *RESRANK, *EMBEDDING} <= changed
    untouched = {"bm25", "resrank.jobs.rerank", "resrank.evaluation.score", "first stage bm25",
                 "resrank.reporting.report", "collection docstrings"}  # fmt: skip
    assert not untouched & changed


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


def test_every_kind_is_located():
    for kind in KINDS:
        (module,) = system_modules(System.model_construct(kind=kind, options={}))
        assert f"{module.replace('.', '/')}.py" in names(module)


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
