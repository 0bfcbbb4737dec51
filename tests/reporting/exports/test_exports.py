"""Exports: runs with headers that can be read back, model cards, BibTeX."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCardData
from huggingface_hub.repocard_data import model_index_to_eval_results

from resrank.evaluation.evaluate import evaluate
from resrank.evaluation.metrics import ALIASES, KNOWN
from resrank.io.trec import TrecError, read_metadata, read_run
from resrank.registry import KINDS
from resrank.reporting.exports.references import bibtex, read_references
from resrank.reporting.exports.runs import commented, run_files
from resrank.reporting.exports.suite import export_suite
from resrank.suite.library import library
from tests.reporting.results_folder import write_results


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Path:
    return write_results(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def exported(suite, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("exported")
    export_suite(suite, out, 'us: "the # team"')
    return out


def test_exported_runs_and_their_headers_can_be_read_back(suite, exported):
    runs = run_files(exported)
    assert [p.relative_to(exported) for p in runs] == [
        p.relative_to(suite) for p in run_files(suite)
    ]
    for path in runs:
        assert read_run(path) == read_run(suite / path.relative_to(exported))
    header = read_metadata(runs[0])
    assert list(header)[3:] == [
        "platform", "research goal", "implementation", "method", "actor", "data"
    ]  # fmt: skip
    assert header["actor"]["team"] == 'us: "the # team"'
    assert header["method"]["retrieval"][1]["reranks"] == "bm25"
    assert header["data"]["test collection"]["name"] == "c0"
    assert "training data" not in header["data"]
    assert read_metadata(run_files(suite)[0]) == {}


def test_training_data_is_identified_by_its_hash(suite, tmp_path):
    shutil.copytree(suite, tmp_path / "copy")
    digest = json.loads((suite / "collections/c1/manifest.json").read_text())["hash"]
    model = tmp_path / "copy" / "models" / "s1" / "seed0.manifest.json"
    model.parent.mkdir(parents=True)
    model.write_text(json.dumps({"inputs": {"collection": digest}}))
    export_suite(tmp_path / "copy", tmp_path / "out")
    header = read_metadata(tmp_path / "out/runs/c0/bm25/s1/seed0.trec")
    assert header["data"]["training data"] == [{"name": "c1", "hash": digest}]
    assert "actor" not in header


def test_a_folder_without_runs_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no runs under"):
        export_suite(tmp_path, tmp_path / "out")


def test_an_exported_run_has_the_same_scores(suite, exported, tmp_path):
    (tmp_path / "qrels").write_text("".join(f"q{n} 0 p0 2\n" for n in range(4)))
    path = run_files(exported)[0]
    one, other = (
        evaluate(tmp_path / "qrels", run, ["nDCG@10"])
        for run in (path, suite / path.relative_to(exported))
    )
    assert one == other


def test_a_header_without_an_end_is_an_error(tmp_path):
    run = tmp_path / "run"
    run.write_text("# ir_metadata.start\n# tag: x\n1 Q0 a 1 1 t\n")
    with pytest.raises(TrecError, match="run:3: a line in the ir_metadata header"):
        read_run(run)
    run.write_text("# ir_metadata.start\n# tag: x\n")
    with pytest.raises(TrecError, match="has no end"):
        read_run(run)
    run.write_text(commented({"tag": "a\nb"}) + "1 Q0 a 1 1 t\n")
    assert read_run(run) == {"1": [("a", 1.0)]}
    assert read_metadata(run) == {"tag": "a\nb"}


def test_scores_are_exported_as_a_model_index(exported):
    files = sorted((exported / "model_index").glob("*.yaml"))
    assert [path.stem for path in files] == ["s0", "s1", "s2"]
    card = yaml.safe_load(files[1].read_text())
    name, results = model_index_to_eval_results(card["model-index"])
    assert name == "System <b>1</b>"
    assert [result.dataset_name for result in results] == ["c0", "c1"]
    assert {result.metric_type for result in results} == {"ndcg_at_10"}
    assert 0.3 < results[0].metric_value < 0.9
    assert ModelCardData(**card | {"model_name": name}).tags == ["reranking"]


def test_items_without_a_reference_are_listed(exported):
    text = (exported / "references.bib").read_text()
    assert "@article{jarvelin2002ndcg," in text
    assert "@inproceedings{sun2023rankgpt," in text
    assert "% no reference for collection c0" in text
    assert "craswell" not in text


def test_every_kind_collection_and_metric_has_an_entry():
    references = read_references()
    assert set(KINDS) <= set(references.kinds)
    assert set(references.collections) == set(library().collections)
    assert set(references.systems) <= set(library().systems)
    assert {stage.kind for stage in library().first_stages.values()} <= set(references.first_stages)
    families = {name.partition("@")[0].partition(" ")[0] for name in KNOWN}
    assert {ALIASES.get(name, name) for name in families} <= set(references.metrics)


def test_identifiers_and_pages_are_well_formed():
    forms = {"doi": r"10\.\d{4,}/\S+", "pages": r"(\d+)--(\d+)", "year": r"\d{4}"}
    for key, entry in read_references().entries.items():
        matches = {
            name: re.fullmatch(form, str(entry.get(name, ""))) for name, form in forms.items()
        }
        assert all(matches[name] for name in forms if name in entry), key
        if pages := matches["pages"]:
            assert int(pages[1]) < int(pages[2]), key
        for written in re.findall(r"arXiv:(\d\d)\d\d\.\d{5}", " ".join(map(str, entry.values()))):
            assert 2000 + int(written) <= int(entry["year"]), key


@pytest.mark.skipif(shutil.which("bibtex") is None, reason="no bibtex")
def test_bibtex_reads_every_entry(tmp_path):
    references = read_references()
    text = "\n".join(bibtex(key, entry) for key, entry in references.entries.items())
    (tmp_path / "all.bib").write_text(text)
    (tmp_path / "all.aux").write_text("\\citation{*}\n\\bibdata{all}\n\\bibstyle{plain}\n")
    done = subprocess.run(["bibtex", "all"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "Warning" not in done.stdout, done.stdout
    assert (tmp_path / "all.bbl").read_text().count("\\bibitem") == len(references.entries)
