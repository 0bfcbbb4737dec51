"""Run one tiny training over all processes of a launcher; the main process logs.

Arguments: its folder, its encoder and, if it is to be killed, after how many steps.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch

from resrank.reranker import TrainingData, TrainingJob
from resrank.resrank_reranker import ResRankSystem
from resrank.training import loop
from resrank.training.checkpoints import Checkpoints
from resrank.training.options import ResRankTraining
from resrank.training.processes import processes
from resrank.training.sharded_tensors import whole
from tests.training.test_training import FROZEN, JOINT, examples, tiny

folder = Path(sys.argv[1])
run = processes()
rows, lengths = [], []
clip = loop.clip_gradients


def noted(parameters, longest):
    parts = [whole(p.grad).norm() for p in parameters if p.grad is not None]
    lengths.append(float(torch.stack(parts).norm()))
    return clip(parameters, longest)


def after_step(row):
    rows.append(row)
    if len(rows) == killed_after:
        os.kill(os.getpid(), signal.SIGKILL)


loop.clip_gradients = noted
killed_after = int(sys.argv[3]) if len(sys.argv) > 3 else None
if killed_after:
    Checkpoints.SECONDS = Checkpoints.PAUSE = 0.0
stages = (
    {**JOINT, "batch_queries": 3, "dev_queries": 4, "patience": 3},
    {**FROZEN, "epochs": 3, "batch_queries": 4},
)
job = TrainingJob(
    folder / "store", folder / "state", "key", after_step,
    lambda rankings: sum(r.scores[0] for r in rankings) / len(rankings), seed=1)  # fmt: skip
training = ResRankTraining.model_validate(
    {"stages": stages, "chunk_tokens": 16, "temperature": 1.0, "autocast": False}
)
data = TrainingData(examples(), examples())
ResRankSystem.train(tiny(sys.argv[2]), training, data, folder / "model", job)
for row, length in zip(rows, lengths, strict=False):
    row["gradient"] = length
if run.is_main:
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
