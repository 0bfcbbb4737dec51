"""Every reader of outside data as one function of bytes, what it may raise, and how to begin.

A target raises nothing: what its reader says of bytes that it cannot use must be the documented
error, name the file and stay short; anything else that comes out of a target is a mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from baselines.llm.answers import parse
from baselines.llm.backends.http import HttpModel
from baselines.llm.backends.key_and_pace import EndpointError
from baselines.llm.backends.replay import ReplayModel
from baselines.llm.interface import Message
from baselines.llm.options import HttpOptions, ReplayOptions
from baselines.llm.prompts.template import Template
from baselines.llm.transcript_files import read_transcript
from baselines.rag_match import trace
from baselines.replay import ResponsesInOrder
from resrank.candidates.exported import read_about
from resrank.collections.beir import BeirCollection
from resrank.collections.candidates import CandidatesCollection
from resrank.collections.retry_after import retry_after
from resrank.evaluation.claims import Source
from resrank.evaluation.metrics import per_query
from resrank.io.manifest import Damaged
from resrank.io.text import DataError
from resrank.io.trec import TrecError, read_metadata, read_qrels, read_run
from resrank.io.yaml import ConfigError, read_source
from resrank.suite.load import load_suite
from resrank.training.teacher import read_orderings
from tests.fuzz.hostile import YAML, column_variants, damaged, json_variants, yaml_variants
from tests.fuzz.raw_server import RawServer

PROMPT = (Message("user", "Rank all 3"),)


Target = Callable[[bytes, Path], bool]
"""(bytes, a folder to work in) -> whether they could be used; raises nothing but what is a mistake."""


class Reader(NamedTuple):
    """A reader: its target, inputs that it takes, how these are made hostile."""

    target: Target
    seeds: list[bytes]
    hostile: Callable[[bytes], Iterable[bytes]] = damaged

    def inputs(self) -> list[bytes]:
        """Good inputs, damaged ones, and good ones with a hostile value in them."""
        inputs = [data for seed in self.seeds for data in (seed, *damaged(seed))]
        return [*inputs, *(data for seed in self.seeds for data in self.hostile(seed))]


def of_file(
    read: Callable[[Path], object],
    error: type[ValueError] | tuple[type[ValueError], ...],
    name: str = "file",
    names_file: bool = True,
) -> Target:
    """A target that writes its bytes to a file and reads that."""

    def target(data: bytes, at: Path) -> bool:
        path = at / name
        path.write_bytes(data)
        try:
            read(path)
            return True
        except error as said:
            assert str(at) in str(said) or not names_file, f"names no file: {said}"
            assert len(str(said)) < 10_000 + 10 * len(data), "a mistake said at too great a length"
            return False

    return target


def scored(path: Path) -> None:
    """Judgments that are read can be scored with, or a run that is read scored."""
    qrels = read_qrels(path)
    per_query(["nDCG@10", "RR", "Judged@10"], qrels, {q: {"p": 1.0} for q in qrels})


def scored_run(path: Path) -> None:
    """A run that is read can be scored."""
    run = {q: dict(ranked) for q, ranked in read_run(path).items()}
    per_query(["nDCG@10", "RR"], {q: dict.fromkeys(ranked, 1) for q, ranked in run.items()}, run)


def beir(part: str) -> Target:
    """A target that puts its bytes in one file's place of a BEIR folder."""
    files = {
        "corpus.jsonl": b'{"_id": "p1", "title": "Fleas", "text": "Fleas jump."}\n',
        "queries.jsonl": b'{"_id": "q1", "text": "what do fleas do"}\n',
        "qrels/test.tsv": b"query-id\tcorpus-id\tscore\nq1\tp1\t1\n",
    }

    def read(path: Path) -> None:
        at = path.parent
        (at / "qrels").mkdir(exist_ok=True)
        for name, data in files.items():
            (at / name).write_bytes(path.read_bytes() if name == part else data)
        BeirCollection(kind="beir", path=at).write(at / "out")

    return of_file(read, ValueError)


def candidates(path: Path) -> None:
    """Candidates that are read become a collection."""
    qrels = path.parent / "qrels"
    qrels.write_text("1 0 d1 1\n")
    spec = CandidatesCollection(kind="candidates", path=path, qrels=qrels)
    spec.write(path.parent / "out")


def answers(data: bytes, at: Path) -> bool:
    """Any text that a model writes is a permutation and a trace, or none."""
    text = data.decode("utf-8", "surrogateescape")  # what is no UTF-8 becomes half a character
    for rule in ("any_digits", "bracketed", "strict"):
        answer = parse(text, 5, rule)
        assert sorted(answer.places) == list(range(5))
    read = trace.parse(text)
    if isinstance(read, trace.Trace):
        assert trace.parse(read.text()) == read
    return True


def transcript(path: Path) -> None:
    """A transcript is looked up, replayed, and its times are added up."""
    read_transcript(path)
    replay = ReplayModel(ReplayOptions(kind="replay", transcript=path))
    list(replay.answers(list(replay.by_prompt), replay.parameters.get("max_new_tokens", 0)))
    replay.clock()


class Http:
    """A target that answers a request with its bytes, over a socket."""

    @cached_property
    def server(self) -> RawServer:
        """Return the server, which starts at the first request."""
        return RawServer()

    @cached_property
    def model(self) -> HttpModel:
        """Return one client for all inputs: a hostile reply must not spoil the next one."""
        options = {"kind": "http", "url": self.server.url, "model": "m", "tries": 1, "timeout_s": 5}
        return HttpModel(HttpOptions.model_validate(options))

    def __call__(self, data: bytes, at: Path) -> bool:
        """Send one request. The result is an answer or an EndpointError."""
        self.server.reply = data
        try:
            [(_, answer)] = self.model.answers([PROMPT], 8)
            answer.text.encode()
            return True
        except EndpointError as error:
            assert self.server.url in str(error)
            assert len(str(error)) < 10_000
            return False


def waits(data: bytes, at: Path) -> bool:
    """A Retry-After is a number of seconds, whatever it says."""
    return retry_after({"Retry-After": data.decode("latin-1")}) >= 0


def typed(model: type[BaseModel]) -> Target:
    """A target that reads a YAML file of a given type."""
    return of_file(lambda path: read_source(model, path), ConfigError)


def headers(data: bytes) -> Iterable[bytes]:
    """Runs with a hostile value in their header."""
    return (data.replace(b"tag: a", b"tag: " + value.replace(b"\n", b"\n#")) for value in YAML)


def http(body: bytes, status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    """A reply's bytes."""
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), more, body)


def completions(_: bytes) -> Iterable[bytes]:
    """Replies with a hostile value in their JSON."""
    return map(http, json_variants(COMPLETION))


RUN = b"1 Q0 d1 1 2.5 tag\n1\tQ0\td 2\t2\t1e2\ttag\n"
META = b"# ir_metadata.start\n# tag: a\n# ir_metadata.end\n"
QRELS = b"1 0 d1 2\n1 0 d2 -2\n"
BEIR = b"query-id\tcorpus-id\tscore\nq1\tp1\t1\n"
HITS = (
    b'{"query": "fleas", "hits": [{"content": "Title: F Content: j", "qid": 1, "docid": "d1", '
    b'"rank": 1, "score": 2.0}]}'
)
LISTED = (
    b'{"query": {"text": "fleas", "qid": "1"}, "candidates": [{"docid": "d1", "score": "2", '
    b'"doc": {"title": "F", "text": "j"}}]}'
)
SUITE = b"""
name: s
collections: [docstrings]
systems: [bm25, own]
metrics: [nDCG@10, RR(rel=2)@5]
seeds: [1]
measure: {queries: 3}
define:
  systems:
    own: {kind: cross_encoder, training: {}, seeds: [2], options: {model: m, max_tokens: 64}}
    asked: {kind: rankgpt, options: {llm: {kind: http, url: "http://x/v1", model: m}}}
  first_stages:
    two: {kind: fusion, of: [bm25, bm25]}
  collections:
    y: {kind: candidates, path: /nowhere, qrels: /nowhere}
"""
CLAIMS = b"""
source: s
claims:
  a: {system: s, where: w, conditions: c, value: 0.5, tolerance: 1.0e-2, tolerance_from: r,
      replicates: [0.4, 0.5], results: [{system: s, collections: {c: 4}, first_stage: bm25}]}
"""
PROMPTS = b"""
source: s
opening: [{role: text, content: "{num} {query}"}]
passage: [{role: text, content: "[{rank}] {text}"}]
closing: []
words: 3
"""
CALL = (
    b'{"key": "k", "prompt": [{"role": "user", "content": "x"}], "parameters": {"model": "m", '
    b'"max_new_tokens": 8}, "text": "[1] > [2]", "prompt_tokens": 3, "generated_tokens": 2, '
    b'"seconds": 0.5}\n'
)
TRACE = (
    b"intent: sort | answer type: function | scope: an array | constraints: none | intent "
    b"consistency: full | entity fidelity: partial | logical completeness: none | information "
    b"density: full | grade:2"
)
COMPLETION = (
    b'{"choices": [{"message": {"content": "[2] > [1]"}}], "usage": {"prompt_tokens": 3, '
    b'"completion_tokens": 2}}'
)
REPLIES = [
    http(COMPLETION),
    http(b"{}", b"429 Later", b"Retry-After: 1\r\n"),
    http(b"", b"307 Moved", b"Location: http://[::\r\n"),
    http(b"", b"302 Moved", b"Location: \xff\xfe\r\n"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    http(COMPLETION, more=b"Content-Encoding: gzip\r\n"),
    http(COMPLETION).replace(b"Content-Length: ", b"Content-Length: -"),
    http(COMPLETION).replace(b"Content-Length: ", b"Content-Length: 9, "),
]

READERS: dict[str, Reader] = {
    "run": Reader(of_file(scored_run, TrecError), [RUN, META + RUN], column_variants),
    "metadata": Reader(of_file(read_metadata, ValueError), [META + RUN], headers),
    "qrels": Reader(of_file(scored, TrecError), [QRELS, BEIR], column_variants),
    "candidates": Reader(
        of_file(candidates, ValueError, "c.json"), [b"[%s]" % HITS, b"[%s]" % LISTED], json_variants
    ),
    "candidates_lines": Reader(
        of_file(candidates, ValueError, "c.jsonl"), [LISTED + b"\n"], json_variants
    ),
    "beir_corpus": Reader(
        beir("corpus.jsonl"), [b'{"_id": "p1", "title": "F", "text": "t"}\n'], json_variants
    ),
    "beir_queries": Reader(beir("queries.jsonl"), [b'{"_id": "q1", "text": "t"}\n'], json_variants),
    "beir_qrels": Reader(beir("qrels/test.tsv"), [BEIR], column_variants),
    "suite": Reader(of_file(load_suite, ConfigError, names_file=False), [SUITE], yaml_variants),
    "claims": Reader(typed(Source), [CLAIMS], yaml_variants),
    "prompt": Reader(typed(Template), [PROMPTS], yaml_variants),
    "transcript": Reader(of_file(transcript, (DataError, Damaged)), [CALL], json_variants),
    "responses": Reader(
        of_file(ResponsesInOrder, DataError),
        [b'{"prompt": "p", "response": "[1]"}\n'],
        json_variants,
    ),
    "orderings": Reader(
        of_file(read_orderings, DataError),
        [b'{"query_id": "q1", "ranking": ["p7", "p3"]}\n'],
        json_variants,
    ),
    "manifest": Reader(
        of_file(read_about, DataError),
        [b'{"hash": "h", "depth": 1, "inputs": {}, "outputs": {}}'],
        json_variants,
    ),
    "answers": Reader(answers, [b"[2] > [1] > [3]", TRACE]),
    "http": Reader(Http(), REPLIES, completions),
    "retry_after": Reader(waits, [b"1", b"Wed, 21 Oct 2015 07:28:00 GMT", b"9" * 5000]),
}
"""What is read from outside, by name."""
