"""RankGPT over HTTP against a real local server: many requests in flight, faults, kills."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import anyio
import pytest

from baselines.llm.backends.key_and_pace import EndpointError
from baselines.llm.interface import Message
from baselines.llm.options import HttpOptions
from baselines.llm.prompts.template import template
from baselines.llm.transcript_files import read_transcript
from baselines.rankgpt import RankGPT
from resrank.candidates.freeze import freeze
from resrank.io.collection import Collection
from resrank.io.trec import read_run
from resrank.jobs.rerank import RerankJob, rerank
from resrank.suite.schema import System
from tests.conftest import ROOT, write_beir
from tests.entries import parse_collection, parse_first_stage
from tests.llm.http_reranker import WINDOW, orders, requests, reranker, reverse
from tests.llm.server import endpoint


@pytest.fixture(scope="module")
def wanted():
    with endpoint(reverse) as server:
        rankings = reranker(server.url, in_flight=1).rerank_many(requests())
        assert sum(server.answered.values()) == 4 * 3
        return orders(rankings)


def test_many_in_flight_give_the_same_run(wanted):
    with endpoint(reverse) as server:
        server.delay = 0.05
        rankings = reranker(server.url, in_flight=8).rerank_many(requests())
        assert orders(rankings) == wanted
        assert server.most_active > 2
    usage = rankings[0].usage
    assert (usage.model_calls, usage.clean_answers, usage.rejected_answers) == (3, 3, 0)
    assert usage.prompt_tokens > usage.generated_tokens > 0
    assert sorted(wanted[0]) == sorted(f"p0-{n}" for n in range(8))
    assert wanted[0][:2] == ("p0-7", "p0-6")


@pytest.mark.parametrize(
    "fault",
    [
        "425",
        "429",
        "500",
        "hang",
        "drip",
        "drop",
        "garbage",
        "half",
        "deep",
        "infinite",
        "negative",
        "huge",
        "encoded",
    ],
)
def test_a_failed_request_is_tried_again(fault):
    with endpoint(reverse, lambda _, number: fault if number == 1 else None) as server:
        system = reranker(server.url, timeout_s=0.7 if fault in ("hang", "drip") else 20)
        rankings = system.rerank_many(requests(depth=4))
        assert orders(rankings) == [tuple(f"p{i}-{n}" for n in (3, 2, 1, 0)) for i in range(4)]
        assert set(server.tries.values()) == {2}


@pytest.mark.parametrize("fault", ["wait a second", "wait until a date"])
def test_retry_after_is_honoured(fault):
    with endpoint(reverse, lambda _, number: fault if number == 1 else None) as server:
        reranker(server.url).rerank_many([requests(1, depth=4)[0]])
        first, second = server.times
    assert 0.9 < second - first < 4  # the default wait is at most half a second


def test_a_wait_of_more_than_five_minutes_stops_the_run():
    with (
        endpoint(reverse, lambda *_: "busy for long") as server,
        pytest.raises(EndpointError, match=r"status 429: '\{\}' \(Retry-After: '600'\)"),
    ):
        reranker(server.url).rerank_many(requests(1))


def test_a_wait_of_minutes_is_honoured(monkeypatch):
    waits, sleep = [], anyio.sleep

    async def sleep_briefly(seconds):
        waits.append(seconds)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(anyio, "sleep", sleep_briefly)
    with endpoint(reverse, lambda _, n: "busy for minutes" if n == 1 else None) as server:
        reranker(server.url).rerank_many(requests(1, depth=4))
        assert 199 < sum(waits) < 201
        assert set(server.tries_so_far().values()) == {2}
    waits.clear()
    with (
        endpoint(reverse, lambda *_: "busy for minutes") as server,
        pytest.raises(EndpointError, match="no answer after 2 tries"),
    ):
        reranker(server.url, tries=2).rerank_many(requests(1, depth=4))
    assert sum(waits) < 201  # none after the last try


@pytest.mark.parametrize("fault", ["wait a second", "busy for minutes"])
def test_an_interrupt_does_not_wait_for_the_next_try(fault):
    """A request that is waiting to be repeated is not in flight."""
    with endpoint(reverse, lambda *_: fault) as server:
        system = reranker(server.url)
        answers = system.llm.answers([template("short").build("x", ["a", "b"])], 8)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            next(answers)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        assert time.monotonic() - start < 0.9
        assert sum(server.tries_so_far().values()) == 1


def test_an_endless_reply_is_read_in_part():
    with endpoint(reverse, lambda *_: "endless") as server:
        with pytest.raises(EndpointError, match="no completion"):
            reranker(server.url, tries=1).rerank_many(requests(1))
        assert server.sent < 40_000_000  # 4 MB are read; the rest was in buffers


def test_variables_for_another_endpoint_are_not_sent(monkeypatch):
    for name, value in {
        "OPENAI_API_KEY": "sk-other", "OPENAI_ADMIN_KEY": "sk-other", "OPENAI_ORG_ID": "other-org",
        "OPENAI_PROJECT_ID": "other-project", "OPENAI_BASE_URL": "http://elsewhere/v1",
        "OPENAI_CUSTOM_HEADERS": "X-Other: other-value\nAuthorization: other-value",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with endpoint(reverse) as server:
        reranker(server.url).rerank_many(requests(1))
        monkeypatch.setenv("MY_KEY", "sk-mine")
        reranker(server.url, key_variable="MY_KEY").rerank_many(requests(1))
    assert "Authorization" not in server.headers[0]
    assert server.headers[-1]["Authorization"] == "Bearer sk-mine"
    assert "other" not in str(server.headers)


def test_only_constant_headers_are_sent(monkeypatch):
    """None is set, or overwritten, by a variable; none describes the machine or counts the tries."""
    custom = ["User-Agent: secret-ua", "X-Stainless-Team: secret-team", "Host: other.example",
              "Content-Type: text/other", "X-Stainless-Raw-Response: true"]  # fmt: skip
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join(custom))
    with endpoint(reverse, lambda _, number: "500" if number == 1 else None) as server:
        reranker(server.url).rerank_many(requests(1, depth=4))
    assert len(server.headers) == 2
    for headers in server.headers:
        assert headers.pop("Content-Length").isdigit()
        assert headers == {
            "Host": server.url.removeprefix("http://").removesuffix("/v1"),
            "User-Agent": "resrank",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }


def test_an_unknown_passage_and_an_answer_of_a_megabyte():
    answers = iter(["[999] > [2]", "[3] " + "x" * 1_000_000, "no"])
    with endpoint(lambda _: next(answers)) as server:
        (ranking,) = reranker(server.url, in_flight=1).rerank_many(requests(1))
    usage = ranking.usage
    assert (usage.repaired_answers, usage.rejected_answers) == (2, 1)
    assert sorted(ranking.passage_ids) == sorted(f"p0-{n}" for n in range(8))


def test_a_refusal_stops_the_run_and_a_rerun_resumes_from_the_transcript(tmp_path, wanted):
    def refuse(prompt, _):
        return "400" if "number 3" in prompt else None

    with endpoint(reverse, refuse) as server:
        system = reranker(server.url, in_flight=1)  # the refused one, then waiting ones
        system.keep_transcript(tmp_path / "t.trec")
        path = system.transcript.path
        with pytest.raises(EndpointError, match="status 400: .*a rerun asks only for the rest"):
            system.rerank_many(requests())
        done = sum(server.answered.values())
        assert done == len(read_transcript(path)) > 0
        server.fault = lambda prompt, number: None
        system = reranker(server.url)
        system.keep_transcript(tmp_path / "t.trec")
        assert orders(system.rerank_many(requests())) == wanted
        assert set(server.answered.values()) == {1}
    options = {
        "llm": {"kind": "replay", "transcript": str(tmp_path)},  # the only one there
        "prompt": "short",
        "window": WINDOW,
    }
    replayed = RankGPT.load(RankGPT.Options.model_validate(options)).rerank_many(requests())
    assert orders(replayed) == wanted
    assert replayed[0].usage == system.rerank_many(requests())[0].usage


def test_the_key_is_sent_but_written_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with endpoint(reverse) as server:
        system = reranker(server.url, key_variable="MY_KEY")
        system.keep_transcript(tmp_path / "t.trec")
        system.rerank_many(requests(1))
        assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in system.transcript.path.read_text()
    assert "sk-secret" not in json.dumps(system.about)
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ValueError, match="no MY_KEY"):
        reranker("http://x", key_variable="MY_KEY")


def test_all_parameters_are_sent_and_recorded(tmp_path):
    with endpoint(reverse) as server:
        system = reranker(server.url, more={"repetition_penalty": 1.0})
        system.keep_transcript(tmp_path / "t.trec")
        system.rerank_many(requests(1))
        sent = {name: server.bodies[0][name] for name in server.bodies[0] if name != "messages"}
    assert sent == {"model": "m", "temperature": 0.0, "top_p": 1.0, "max_tokens": 24,
                    "repetition_penalty": 1.0}  # fmt: skip
    parameters = dict(system.about["parameters"])
    assert (parameters.pop("url"), parameters.pop("max_new_tokens")) == (
        server.url,
        sent.pop("max_tokens"),
    )
    assert parameters == sent
    line = json.loads(system.transcript.path.read_text().splitlines()[0])
    assert line["parameters"] == system.about["parameters"]


def test_arguments_of_the_chat_template_are_sent_with_chats_alone(tmp_path):
    options = {"enable_thinking": False}
    with endpoint(reverse) as server:
        system = reranker(server.url, chat_options=options)
        system.keep_transcript(tmp_path / "t.trec")
        system.rerank_many(requests(1))
        assert all(body["chat_template_kwargs"] == options for body in server.bodies)
        assert system.about["parameters"]["chat_template_kwargs"] == options
        assert {path.name for path in tmp_path.iterdir()} == {system.transcript.path.name}
        text = (Message("text", "Rank all 2 passages."),)
        dict(system.llm.answers([text], 8))
        assert "chat_template_kwargs" not in server.bodies[-1]
        assert server.bodies[-1]["prompt"] == "Rank all 2 passages."


def test_each_prompt_has_a_sampling_seed_of_its_own():
    def seeds(**more):
        with endpoint(reverse) as server:
            system = reranker(server.url, temperature=0.7, **more)
            system.rerank_many(requests(2))
            return {body["messages"][-1]["content"]: body["seed"] for body in server.bodies}

    one = seeds(in_flight=1)
    assert one == seeds(in_flight=4)
    assert len(set(one.values())) == 6
    assert all(0 <= seed < 2**31 for seed in one.values())
    assert not set(one.values()) & set(seeds(seed=1).values())


def test_requests_are_paced():
    with endpoint(reverse) as server:
        start = time.monotonic()
        reranker(server.url, requests_per_minute=600).rerank_many(requests(2))
        assert time.monotonic() - start > 0.1 * 5  # six requests, five gaps of a tenth


CLIENT = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as the command line does
from tests.llm.http_reranker import orders, requests, reranker
system = reranker(sys.argv[1], in_flight=4)
system.keep_transcript(Path(sys.argv[2]))
print(orders(system.rerank_many(requests())), flush=True)
"""


def recorded(folder):
    """Return the prompts with recorded answers; a torn last line does not count."""
    lines = [line for p in folder.glob("*.jsonl") for line in p.read_text().split("\n")[:-1]]
    return {"\n".join(m["content"] for m in json.loads(line)["prompt"]) for line in lines}


def test_a_client_that_is_killed_repeatedly_repeats_no_answered_call(tmp_path, wanted):
    rng = random.Random(1)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    kills, progress = 0, []
    with endpoint(reverse) as server:
        server.delay = 0.1
        command = [sys.executable, "-c", CLIENT, server.url, str(tmp_path / "t.trec")]
        while kills < 10:
            answered, before = recorded(tmp_path), server.tries_so_far()
            client = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
            while server.tries_so_far() == before and client.poll() is None:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.3))
            if client.poll() is None:
                client.send_signal(signal.SIGKILL)
                kills += 1
            output, _ = client.communicate()
            assert client.returncode in (0, -signal.SIGKILL)
            time.sleep(0.15)  # requests in flight arrive
            assert not answered & (server.tries_so_far() - before).keys()
            progress.append(len(recorded(tmp_path)))
            if client.returncode == 0:
                assert output.strip() == str(wanted)
                for path in tmp_path.iterdir():  # all prompts are answered: start over
                    path.unlink()
        answered, before = recorded(tmp_path), server.tries_so_far()
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(wanted)
        assert sum((server.tries_so_far() - before).values()) == 12 - len(answered)
    assert max(progress) > 0


def heed_interrupts():
    """Restore SIGINT, which processes in a shell's background ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_answers_in_flight_at_an_interrupt_are_kept(tmp_path, wanted, name):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with endpoint(reverse) as server:
        server.delay = 1.0
        command = [sys.executable, "-c", CLIENT, server.url, str(tmp_path / "t.trec")]
        client = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=heed_interrupts,
        )  # fmt: skip
        while server.active < 4:
            time.sleep(0.01)
        client.send_signal(signal.Signals[name])
        client.communicate(timeout=30)
        assert client.returncode != 0
        assert sum(server.tries_so_far().values()) == 4  # no further request was sent
        assert recorded(tmp_path) == set(
            server.tries_so_far()
        )  # and the requests in flight are recorded
        server.delay = 0.0
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(wanted)
        assert set(server.tries_so_far().values()) == {1}


def test_a_slow_pace_does_not_delay_an_interrupt():
    with endpoint(reverse) as server:
        system = reranker(server.url, requests_per_minute=1)
        start = time.monotonic()
        answers = system.llm.answers([template("short").build("x", ["a", "b"])] * 3, 8)
        next(answers)
        answers.close()  # as an interrupt does
        assert time.monotonic() - start < 10
        assert sum(server.tries_so_far().values()) == 1


def test_a_refusal_stops_waiting_requests(tmp_path):
    with endpoint(reverse, lambda *_: "400") as server:
        with pytest.raises(EndpointError, match="status 400"):
            reranker(server.url, in_flight=2).rerank_many(requests(30))
        assert sum(server.tries.values()) < 30


def test_the_error_after_the_last_try_names_its_status(tmp_path):
    with (
        endpoint(reverse, lambda *_: "500") as server,
        pytest.raises(EndpointError, match="no answer after 2 tries; the last one gave status 500"),
    ):
        reranker(server.url, tries=2).rerank_many(requests(1))


def test_a_malformed_key_is_refused_and_not_printed(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-sec ret")
    with pytest.raises(ValueError, match="white space") as caught:
        reranker("http://x", key_variable="MY_KEY")
    assert "sk-sec" not in str(caught.value)
    monkeypatch.setenv("MY_KEY", "sk-secret\n")  # a mounted file's line break
    with endpoint(reverse) as server:
        system = reranker(server.url, key_variable="MY_KEY", price_in=1.0, price_out=2.0)
        (ranking,) = system.rerank_many(requests(1))
        assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    usage = ranking.usage
    wanted = (usage.prompt_tokens + 2 * usage.generated_tokens) / 1e6
    assert system.about["price"] == pytest.approx(wanted)


def test_missing_token_counts_are_counted_as_0(wanted):
    with endpoint(reverse, lambda _, number: "no counts" if number == 1 else None) as server:
        with pytest.warns(UserWarning, match="leaves out tokens"):
            rankings = reranker(server.url, in_flight=1).rerank_many(requests())
        assert orders(rankings) == wanted
        assert set(server.tries_so_far().values()) == {1}


def test_a_redirect_is_reported_and_not_followed():
    with (
        endpoint(reverse, lambda *_: "redirect") as server,
        pytest.raises(EndpointError, match="status 307: it is at 'http://elsewhere/v1/chat/comp"),
    ):
        reranker(server.url).rerank_many(requests(1))


def test_a_lone_surrogate_in_an_answer_is_replaced(tmp_path):
    with endpoint(lambda _: "[2] \ud800 > [1]") as server:
        system = reranker(server.url)
        system.keep_transcript(tmp_path / "t.trec")
        (ranking,) = system.rerank_many(requests(1, depth=2))
    assert ranking.passage_ids == ("p0-1", "p0-0")
    (answer,) = read_transcript(system.transcript.path).values()
    assert answer.text == "[2] ? > [1]"


def test_a_run_has_in_flight_as_many_requests_as_allowed(tmp_path):
    """The limit exceeds the number of queries that a model in this process reranks at once."""
    together = threading.Barrier(40)
    queries = {f"q{n}": f"sort an array {n}" for n in range(40)}
    qrels = {"test": [(query, "p1", 1) for query in queries]}
    folder = write_beir(tmp_path / "beir", queries=queries, qrels=qrels)
    parse_collection({"kind": "beir", "path": str(folder)}).collect(tmp_path / "c")
    made, lists = Collection(tmp_path / "c"), tmp_path / "bm25.parquet"
    freeze(made, parse_first_stage({"kind": "bm25"}), lists)

    def answer(prompt):
        together.wait(20)  # an answer comes when all requests have arrived
        return "[1]"

    with endpoint(answer) as server:
        llm = {"kind": "http", "url": server.url, "model": "m", "in_flight": 40}
        options = {"llm": llm, "prompt": "short", "window": WINDOW}
        spec = System.model_validate({"kind": "rankgpt", "options": options})
        run = tmp_path / "seed0.trec"
        rerank(
            RerankJob(
                name="asked",
                system=spec,
                collection=made,
                candidates=lists,
                store=tmp_path,
                out=run,
            )
        )
        assert server.most_active == 40
    assert len(read_run(run)) == 40


def test_a_key_that_the_endpoint_repeats_is_redacted(monkeypatch):
    monkeypatch.setenv("RESRANK_TEST_KEY", "sk-verysecret")
    with endpoint(reverse, lambda *_: "401") as server:
        system = reranker(server.url, key_variable="RESRANK_TEST_KEY")
        with pytest.raises(EndpointError, match=r"status 401.*\*\*\*") as caught:
            system.rerank_many(requests())
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"url": "http://me:pw@h/v1"}, "no user, password or query"),
     ({"url": "http://h/v1?key=1"}, "no user, password or query"),
     ({"url": "h/v1"}, "https:// address"),
     ({"url": "http://h/v1", "more": {"stream": True}}, "stream cannot be given here"),
     ({"url": "http://h/v1", "more": {"chat_template_kwargs": {}}}, "by `chat_options`"),
     ({"url": "http://h/v1", "price_in": 1.0}, "both `price_in` and `price_out`")],
)  # fmt: skip
def test_contradictory_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HttpOptions.model_validate({"kind": "http", "model": "m", **options})
