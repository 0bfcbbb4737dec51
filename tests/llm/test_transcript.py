"""Transcripts: one per set of parameters, hashed, selected by parameters, errors that name files."""

import json

import pytest

from baselines.llm.interface import Answer, drop
from baselines.rankgpt import RankGPT
from resrank.io.manifest import CONTENT_SHA256, Damaged
from resrank.io.text import DataError
from tests.llm.http_reranker import WINDOW, orders, requests, reverse


class Model:
    """Answers prompts in order or backwards, so that files are written in another order."""

    def __init__(self, backwards=False, **parameters):
        self.parameters = {"model": "m", "temperature": 0.0} | parameters
        self.backwards = backwards
        self.received = []

    def answers(self, prompts, max_new_tokens, keep=drop):
        places = range(len(prompts))
        for place in reversed(places) if self.backwards else places:
            self.received.append(prompts[place])
            text = reverse(prompts[place][-1].content)
            answer = Answer(text, 10, 5, 0.25 + self.backwards)
            keep(place, answer)
            yield place, answer


def system(model, **more):
    llm = {"kind": "http", "url": "http://nowhere", "model": "m"}
    options = {"llm": llm, "prompt": "short", "window": WINDOW, **more}
    return RankGPT(RankGPT.Options.model_validate(options), model)


def recorded(folder, model=None, name="seed0", **more):
    made = system(model or Model(), **more)
    made.keep_transcript(folder / f"{name}.trec")
    return made, made.rerank_many(requests())


def replayed(path, recorded_with=None, **more):
    llm = {"kind": "replay", "transcript": str(path), "recorded_with": recorded_with or {}}
    options = {"llm": llm, "prompt": "short", "window": WINDOW, **more}
    return RankGPT.load(RankGPT.Options.model_validate(options)).rerank_many(requests())


def test_each_set_of_parameters_has_a_separate_file(tmp_path):
    first, wanted = recorded(tmp_path)
    other, _ = recorded(tmp_path, Model(temperature=0.7))
    longer, _ = recorded(tmp_path, max_new_tokens=99)
    assert len({made.transcript.path for made in (first, other, longer)}) == 3
    assert len(list(tmp_path.iterdir())) == 3
    again, rankings = recorded(tmp_path)
    assert again.llm.received == []
    assert orders(rankings) == orders(wanted)
    line = json.loads(first.transcript.path.read_text().splitlines()[0])
    assert line["parameters"] == first.about["parameters"]
    assert line["parameters"]["max_new_tokens"] == 24
    for with_, made in (
        ({"temperature": 0.7}, {}),
        ({"max_new_tokens": 99}, {"max_new_tokens": 99}),
    ):
        assert orders(replayed(tmp_path, with_, **made)) == orders(wanted)


def test_the_content_hash_covers_only_keys_and_texts(tmp_path):
    one, _ = recorded(tmp_path / "a")
    other, _ = recorded(tmp_path / "b", Model(backwards=True))
    about = one.about["transcript"]
    assert about == other.about["transcript"]
    assert about["answers"] == 4 * 3
    assert one.transcript.path.read_text() != other.transcript.path.read_text()
    path = one.transcript.path
    path.write_text(path.read_text().replace("[4] > [3]", "[3] > [4]"))
    message = (
        "jsonl is damaged .line 1 is not as it was written.; delete the line, and the call is made"
    )
    with pytest.raises(Damaged, match=message):
        recorded(tmp_path / "a")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    plain = [{name: row[name] for name in row if name != CONTENT_SHA256} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in plain))  # as older versions wrote
    changed, _ = recorded(tmp_path / "a")
    assert changed.about["transcript"]["content"] != about["content"]


@pytest.mark.parametrize(
    ("recorded_with", "message"),
    [
        ({}, "names 2 transcripts, but one is needed"),
        ({"temperature": 0.5}, "names 0 transcripts recorded with temperature 0.5"),
        ({"top_p": 1}, r"temperature 0\.7, top_p not stated"),
    ],
)
def test_no_match_and_several_matches_are_described(tmp_path, recorded_with, message):
    recorded(tmp_path)
    recorded(tmp_path, Model(temperature=0.7))
    with pytest.raises(DataError, match=message) as caught:
        replayed(tmp_path, recorded_with)
    for value in ("temperature 0.0", "temperature 0.7"):
        assert f"jsonl: {value}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt_tokens": float("inf")}, "cannot convert float infinity"),
        ({"generated_tokens": 10**18}, "from 0 to 1,000,000,000 is allowed"),
        ({"generated_tokens": -1}, "from 0 to 1,000,000,000 is allowed"),
        ({"seconds": float("nan")}, "from 0 to 1,000,000,000 is allowed"),
        ({"seconds": 10**400}, "too large"),
        ({"text": ["[1]"]}, "list in place of text"),
        ({"prompt": []}, "no prompt"),
        ({"parameters": [["a", 1], [2, 3]]}, "no object `parameters`"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, change, message):
    made, _ = recorded(tmp_path)
    path = made.transcript.path
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        del row[CONTENT_SHA256]  # as another tool, or an older version, writes them
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0] | change]))
    with pytest.raises(DataError, match=f"jsonl:13: not a record of a call .*{message}"):
        replayed(path)


def test_a_missing_file_is_reported_with_the_existing_ones(tmp_path):
    made, _ = recorded(tmp_path)
    with pytest.raises(DataError, match="names 0 transcripts") as caught:
        replayed(tmp_path / "seed0.transcript.jsonl")
    name = made.transcript.path.name
    assert f"{name}: max_new_tokens 24, model m, temperature 0.0" in str(caught.value)


def test_another_length_or_prompt_is_reported(tmp_path):
    made, _ = recorded(tmp_path)
    with pytest.raises(
        DataError, match="max_new_tokens 24, but 48 is requested; set `max_new_tokens"
    ):
        replayed(tmp_path, max_new_tokens=48)
    with pytest.raises(DataError, match="12 answers, but none to the prompt.*replay with the cand"):
        replayed(tmp_path, words=1)
    recorded(tmp_path, Model(temperature=0.7), words=1)
    with pytest.raises(DataError, match="holds one, recorded with temperature 0.7"):
        replayed(made.transcript.path, words=1)
