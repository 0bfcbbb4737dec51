"""PE-Rank at tiny size: decoded step by step, counted, trained."""

import pytest
import torch

from baselines.pe_rank import PERank
from resrank.reranker import Bench
from resrank.windows import Window
from tests.llm.test_local import requests
from tests.shapes import save_causal
from tests.training.test_training import examples, weights


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    root = tmp_path_factory.mktemp("pe")
    encoder = {"model": save_causal(root / "e", "qwen3", ends=True), "dtype": "float32"}
    return PERank.Options.model_validate(
        {"encoder": encoder, "reranker": save_causal(root / "d", "qwen3", hidden=32)}
    )


@pytest.fixture(scope="module")
def system(options):
    return PERank.load(options)


def test_a_hundred_candidates_are_encoded_once_and_written_window_by_window(system):
    (ranking,) = system.rerank_many(requests([100]))
    usage = ranking.usage
    assert (usage.model_calls, usage.embedding_slots, usage.generated_tokens) == (9, 180, 180)
    encoder = system.model.encoder
    texts = [c.passage.text for c in requests([100])[0][1]]
    assert usage.passage_encoder_tokens == sum(map(len, encoder.tokenize(texts).ids))
    assert sorted(ranking.passage_ids) == sorted(f"0-{n}" for n in range(100))


@pytest.mark.parametrize("step", [10, 5, 20])
def test_the_encoder_reads_each_passage_once_whatever_the_windows(options, step):
    window = {"size": 20, "step": step}
    system = PERank.load(options.model_copy(update={"window": Window.model_validate(window)}))
    read = []
    hook = system.model.encoder.model.register_forward_hook(
        lambda _, args, kwargs, out: read.append(len(out.last_hidden_state)), with_kwargs=True
    )
    (ranking,) = system.rerank_many(requests([100]))
    hook.remove()
    assert sum(read) == 100
    assert ranking.usage.model_calls == {10: 9, 5: 17, 20: 5}[step]


def test_each_step_takes_the_best_of_those_left(system):
    ((query, listed),) = requests([6])
    embeddings = system.model.encoder.embed([c.passage.text for c in listed])
    (found,) = system.model.decode([query.text], [embeddings])
    with torch.inference_mode():
        tokens = system.model.project(embeddings)
        row, left, wanted = system.model._prompt(query.text, tokens), set(range(6)), []
        while left:  # by hand, without a cache
            hidden = system.model.decoder(row.unsqueeze(0), torch.ones(1, len(row)).long())[0, -1]
            best = max(left, key=lambda place, h=hidden: float(h @ tokens[place]))
            left.remove(best)
            wanted.append(best)
            row = torch.cat([row, tokens[best : best + 1]])
    assert found == wanted


def test_batches_change_nothing(system):
    asked = requests([0, 1, 3, 20, 35])
    together = [r.passage_ids for r in system.rerank_many(asked)]
    assert together == [system.rerank(*request).passage_ids for request in asked]


def test_loss_is_that_of_the_steps_that_matter(system):
    ((query, listed),) = requests([4])
    embeddings = system.model.encoder.embed([c.passage.text for c in listed])
    tokens = system.model.project(embeddings)
    prompt = system.model._prompt(query.text, tokens)
    with torch.inference_mode():
        found = system.model.loss(query.text, embeddings, [0, 2, 0, 1]).item()
        row = torch.cat([prompt, tokens[1:2]])
        hidden = system.model.decoder(row.unsqueeze(0), torch.ones(1, len(row)).long())[0]
        first = (hidden[-2] @ tokens.T).log_softmax(-1)[1]
        second = (hidden[-1] @ tokens[[0, 2, 3]].T).log_softmax(-1)[2]
    assert found == pytest.approx(-(first + second).item() / 2, abs=1e-5)


def test_it_learns_and_is_loadable(options, tmp_path):
    rows = []
    training = PERank.Training(epochs=120, batch_queries=2, learning_rate=3e-3, warmup=0.0)
    for name in ("a", "b"):
        bench = Bench(tmp_path / "store", tmp_path / f"{name}.state", "key", rows.append)
        PERank.train(options, training, examples(), [], tmp_path / name, 1, bench)
    losses = [row["ranking"] for row in rows]
    assert losses[:240] == losses[240:]
    assert sum(losses[230:240]) < 0.3 * sum(losses[:10])
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    trained = PERank.load(options, tmp_path / "a")
    for example in examples():
        ranking = trained.rerank(example.query, example.candidates)
        assert ranking.passage_ids[0] == example.positives[0].id
