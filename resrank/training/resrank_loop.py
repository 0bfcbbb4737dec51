"""ResRank's training in stages: RankNet on the reranker's scores and InfoNCE on the encoder.

Facts 6 and 7 of docs/papers.md. Where a stage trains the encoder, the gradients of both losses
reach it; the ranking loss's flow through the compressed passages. Other stages take passage
embeddings from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from resrank.model.resrank import ResRank
from resrank.records import TrainingExample
from resrank.reranker import TrainingData, TrainingJob
from resrank.training.checkpoints import Checkpoints
from resrank.training.lists import TrainingList, batches, query_ids, usable
from resrank.training.loop import TrainingPhase, fit
from resrank.training.lora import is_replaced
from resrank.training.mixture import choose, used_counts
from resrank.training.options import ResRankTraining, TrainingStage
from resrank.training.query_use import report_queries
from resrank.training.resrank_losses import StageLosses


def train_stages(
    model: ResRank,
    data: TrainingData,
    options: ResRankTraining,
    job: TrainingJob,
    evaluate: Callable[[TrainingStage], float] | None = None,
) -> list[dict[str, Any]]:
    """Train in place, stage by stage; return how many queries each stage used and skipped.

    evaluate: returns the model's dev score, for stages with `dev_queries`. Raises ValueError if a
    stage has no query to learn from, or no parameter to train.
    """
    checkpoints = Checkpoints(job.checkpoints, job.key)
    counts = []
    for number, stage in enumerate(options.stages, start=1):
        examples = data.examples(stage.queries)
        candidates = usable(examples, stage)
        kept = choose(candidates, stage.max_queries, np.random.default_rng([job.seed, number]))
        if not kept:
            raise ValueError("no training query has a relevant passage among its candidates")
        report_queries(f"stage {number}", stage, examples, candidates, kept)
        phase = TrainingPhase(
            name=f"stage {number}",
            rates=rates(model, options, stage),
            epochs=stage.epochs,
            warmup=stage.warmup,
            batches=partial(_batches, kept, stage, [job.seed, number]),
            backward=StageLosses(model, options, stage, kept, job),
            describe=query_ids,
            evaluate=partial(evaluate, stage) if evaluate and stage.dev_queries else None,
            patience=stage.patience,
            accumulate=stage.accumulate,
            mixed=options.autocast,
        )
        fit(model, phase, checkpoints, job.on_step)
        counts.append(used_counts(examples, candidates, kept))
    model.eval()
    return counts


def rates(model: ResRank, options: ResRankTraining, stage: TrainingStage) -> dict[str, float]:
    """Return the peak learning rate by parameter name, for each parameter that a stage trains.

    Raises ValueError if the stage trains none.
    """
    table = model.reranker.model.get_input_embeddings().weight
    trained: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        if options.lora is not None and is_replaced(name):
            continue
        if name.startswith("encoder."):
            if stage.train_encoder:
                trained[name] = stage.encoder_learning_rate
        elif parameter is model.log_scale:
            if stage.ranking_weight and stage.scale_learning_rate:
                trained[name] = stage.scale_learning_rate
        elif stage.ranking_weight and (parameter is not table or options.train_token_embeddings):
            trained[name] = stage.learning_rate
    if not trained:
        raise ValueError("a stage with ranking_weight 0 and a frozen encoder trains nothing")
    return trained


def _batches(
    examples: Sequence[TrainingExample], stage: TrainingStage, seeds: list[int], epoch: int
) -> list[list[TrainingList]]:
    return batches(examples, stage, np.random.default_rng([*seeds, epoch]))
