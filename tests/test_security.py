"""What must not be possible: code in data, code from a model's folder, a key on the disk."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT, write_beir
from tests.dag import copy_project, snakemake
from tests.llm.server import endpoint
from tests.shapes import save_causal

SOURCES = sorted(
    f for room in ("resrank", "baselines", "workflow", "docs") for f in (ROOT / room).rglob("*.py")
)
UNSAFE_MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve",
                  "marshal", "imp"}  # fmt: skip
UNSAFE_CALLS = {"torch.load", "torch.save", "np.load", "numpy.load", "pd.read_pickle", "eval",
                "exec", "os.system", "yaml.load", "yaml.unsafe_load", "yaml.full_load",
                "tarfile.open", "shutil.unpack_archive"}  # fmt: skip
UNSAFE_WORDS = {"allow_pickle": True, "trust_remote_code": True, "shell": True, "verify": False,
                "weights_only": False}  # fmt: skip
LOADS = re.compile(r"Auto\w+\.from_pretrained")


def unsafe(tree: ast.AST) -> Iterator[str]:
    """What a source does that runs code out of data, or asks nobody whose it is."""
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        yield from (m for m in modules if m.partition(".")[0] in UNSAFE_MODULES)
        if isinstance(node, ast.Call):
            if (called := ast.unparse(node.func)) in UNSAFE_CALLS:
                yield called
            for word in node.keywords:
                given = word.value.value if isinstance(word.value, ast.Constant) else "computed"
                if word.arg in UNSAFE_WORDS and given in (UNSAFE_WORDS[word.arg], "computed"):
                    yield f"{word.arg}={given}"
            words = [word.arg for word in node.keywords]
            if LOADS.fullmatch(called) and "trust_remote_code" not in words:
                yield f"{called} may ask whether to run a folder's code"


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from joblib import load", "import pickle as p", "torch.load(x)",
     "np.load(x, allow_pickle=True)", "yaml.load(x)", "load(x, trust_remote_code=trust)",
     "run(x, shell=True)", "eval(x)", "AutoModel.from_pretrained(x)"],
)  # fmt: skip
def test_the_check_finds(line):
    assert list(unsafe(ast.parse(line)))


def test_no_source_unpickles_or_runs_data():
    assert len(SOURCES) > 150
    unsafe_names = {
        str(path.relative_to(ROOT)): list(unsafe(ast.parse(path.read_text()))) for path in SOURCES
    }
    assert {path: names for path, names in unsafe_names.items() if names} == {}


def test_the_rules_run_no_code_of_their_own():
    """`script:` and `run:` hand pickled objects to the job."""
    for path in [ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")]:
        assert not re.search(r"^\s*(script|run|notebook|wrapper):", path.read_text(), re.MULTILINE)


def test_every_package_is_pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line.strip() and not line.startswith("#")]
    assert len(pins) > 100
    assert [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.!+]+( *;.*)?", line)] == []


@pytest.mark.parametrize("answer", ["", "y\n"])
def test_code_in_a_models_folder_is_never_run(tmp_path, answer):
    """Nor is anybody asked: a job's input may say yes."""
    folder = Path(save_causal(tmp_path / "m", "qwen3"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")
    program = (
        "from resrank.model.encoder import Encoder\n"
        "from resrank.model.options import EncoderOptions\n"
        f"Encoder.from_options(EncoderOptions(model={str(folder)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=answer, capture_output=True, text=True, check=False,
        timeout=60, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode != 0
    assert not (tmp_path / "ran").exists()
    assert "trust_remote_code" in done.stderr
    assert "[y/N]" not in done.stdout + done.stderr


def holding(folder: Path, secret: str) -> list[Path]:
    """The files under a folder, hidden ones too, that hold a secret; packed text is unpacked."""
    result = []
    for path in (p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data += str(pq.read_table(path).to_pydict()).encode()
        if secret.encode() in data:
            result.append(path)
    return result


def test_a_key_is_in_no_file_that_the_dag_leaves(tmp_path):
    """Of an endpoint that repeats it, in refusals and in answers, and of jobs that fail."""
    key = "sk-verysecret-0123456789"
    suite = {
        "name": "asked", "collections": ["mine"], "systems": ["bm25", "asked"], "baseline": "bm25",
        "measure": {"queries": 2, "warmup": 1},
    }  # fmt: skip

    def fault(prompt, number):
        return "401" if refusing else None

    def answer(prompt):
        return f"[1] > [2] as your key {key} says"

    with endpoint(answer, fault) as server:
        llm = {"kind": "http", "url": server.url, "model": "m", "key_variable": "MY_KEY"}
        paid = {"kind": "rankgpt", "options": {"llm": llm, "prompt": "short"}}
        suite["define"] = {
            "collections": {"mine": {"kind": "beir", "path": "data"}},
            "systems": {"asked": paid},
        }
        folder = copy_project(tmp_path / "project", suite)
        write_beir(folder / "data")
        output = ""
        for refusing in (True, False):
            done = snakemake(folder, "all", MY_KEY=key)
            assert (done.returncode != 0) == refusing, done.stdout + done.stderr
            output += done.stdout + done.stderr
        assert server.headers[-1]["Authorization"] == f"Bearer {key}"
    assert "***" in output  # the refusal was shown, without it
    assert key not in output
    assert holding(folder, "as your key ***")  # in the transcript, so that the search finds
    assert holding(folder, key) == []
