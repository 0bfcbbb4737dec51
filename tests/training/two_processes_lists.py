"""Train each list-trained baseline, tiny, over all processes of a launcher; the main one logs.

Argument: its folder.
"""

import json
import sys
from pathlib import Path

import torch

from resrank.registry import resolve
from resrank.reranker import TrainingData, TrainingJob
from resrank.training import loop
from resrank.training.processes import processes
from tests.llm.test_listwise_training import SCRATCH, examples

ENCODER = {"dtype": "float32", "max_tokens": 32}
OPTIONS = {
    "rankgpt": {"llm": SCRATCH, "prompt": "short"},
    "first": {"llm": SCRATCH},
    "e2rank": {"encoder": ENCODER, "chat": False, "words": 10},
    "pe_rank": {"encoder": ENCODER, "chat": False, "reranker": {"layers": 1, "heads": 2}},
}
folder = Path(sys.argv[1])
run = processes()
clip = loop.clip_gradients
logs: dict[str, list[dict[str, float]]] = {}
for kind, given in OPTIONS.items():
    rows, lengths = logs.setdefault(kind, []), []

    def noted(parameters, longest, lengths=lengths):
        grads = [p.grad.norm() for p in parameters if p.grad is not None]
        lengths.append(float(torch.stack(grads).norm()))
        return clip(parameters, longest)

    loop.clip_gradients = noted
    cls = resolve(kind)
    # Three lists a batch: two processes have shares of unlike size.
    training = {"batch_queries": 3, "list_length": 6, "learning_rate": 1e-4, "max_queries": 8}
    training |= {"content_tokens": 8} if kind == "pe_rank" else {"autocast": False}
    job = TrainingJob(folder / "store", folder / kind / "state", "key", rows.append, seed=1)
    cls.train(
        cls.Options.model_validate(given), cls.Training.model_validate(training),
        TrainingData(examples()), folder / kind / "model", job,
    )  # fmt: skip
    for row, length in zip(rows, lengths, strict=False):
        row["gradient"] = length
if run.is_main:
    (folder / "log.json").write_text(json.dumps(logs))
