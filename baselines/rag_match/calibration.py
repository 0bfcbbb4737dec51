"""Stage III, calibration: prefer the right grade's trajectory where the model errs by one grade."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from baselines.rag_match.dpo import dpo
from baselines.rag_match.learner import Learner, StageTask
from baselines.rag_match.options import CalibrationStage
from baselines.rag_match.pairs import GradedPair, as_ranked
from baselines.rag_match.preferences import Preference, preferences, trajectories
from baselines.rag_match.sequences import AnsweredPrompt, answered
from baselines.rag_match.teacher import TraceTeacher
from resrank.records import TrainingExample
from resrank.training.mixture import choose, share
from resrank.training.options import TrainingStage
from resrank.training.query_use import report_queries


class Contrast(NamedTuple):
    """A preference, and its trajectories' log-probabilities before the stage."""

    preference: Preference
    chosen: float
    rejected: float


class ContrastedPair(NamedTuple):
    """A pair whose grade is learned, and its contrast, None if the pair gives no preference."""

    pair: GradedPair
    contrast: Contrast | None


def learn_to_prefer(
    learner: Learner,
    stage: CalibrationStage,
    examples: Sequence[TrainingExample],
    documents: Mapping[str, str],
    teacher: TraceTeacher | None,
) -> dict[str, Any]:
    """Fit the model in place; return the counts of its answers by their error, and of preferences.

    documents: query id -> document for the teacher. teacher: None where the model writes no traces.
    Without a preference the model stays as it is; a message on stderr and the counts say so.
    """
    shared = share(examples, *stage.share)
    kept = choose(shared, stage.max_queries, learner.rng(3))
    about = TrainingStage(share=stage.share, max_queries=stage.max_queries)
    report_queries("calibration", about, examples, shared, kept)
    pairs = as_ranked(kept, stage.pairs, learner.rng(3, 1))
    with learner.mixed():
        mine = trajectories(learner.judge, learner.run.share(pairs), traces=teacher is not None)
    answers = learner.run.gathered(mine, len(pairs))
    preferred, counts = preferences(pairs, answers, documents, teacher)
    if not preferred:
        message = _nothing_to_learn(counts)
        print(message, file=sys.stderr, flush=True)
        return counts | {"left_alone": message}
    contrasts = {_key(c.preference.pair): c for c in _contrasts(learner, preferred)}
    items = [ContrastedPair(pair, contrasts.get(_key(pair))) for pair in pairs]
    if stage.label_on == "errors":
        items = [item for item in items if item.contrast is not None]
    learner.fit(stage, _task(learner, stage, items))
    return counts | {"learned": len(items)}


def _task(learner: Learner, stage: CalibrationStage, items: list[ContrastedPair]) -> StageTask:
    def losses(batch: Sequence[ContrastedPair], batch_size: int) -> Tensor:
        label = learner.label_loss([item.pair for item in batch])
        contrasts = [item.contrast for item in batch if item.contrast is not None]
        preference = label.new_zeros(())
        if contrasts:
            preference = _preference_loss(learner, contrasts, stage.beta)
        return torch.stack([preference, label]) / batch_size

    return StageTask(
        "calibration",
        items,
        stage.batch_pairs,
        {"preference": stage.preference_weight, "label": stage.label_weight},
        losses,
        lambda item: item.pair.query_id,
    )


def _nothing_to_learn(counts: Mapping[str, int]) -> str:
    return (
        f"stage three: no preference among {counts['judged']} judged pairs ({counts['right']} "
        f"right, {counts['further']} wrong by two grades, {counts['malformed']} malformed); the "
        "model stays as stage two left it"
    )


def _preference_loss(learner: Learner, contrasts: Sequence[Contrast], beta: float) -> Tensor:
    """Return the sum of DPO's losses over contrasts, a scalar."""
    chosen_items, rejected_items = zip(
        *(_answered(learner, c.preference) for c in contrasts), strict=True
    )
    items = [*chosen_items, *rejected_items]
    sums = torch.stack([tokens.sum() for tokens in learner.likelihood(items)])
    chosen, rejected = sums.chunk(2)
    chosen_ref = sums.new_tensor([c.chosen for c in contrasts])
    rejected_ref = sums.new_tensor([c.rejected for c in contrasts])
    return dpo(chosen, rejected, chosen_ref, rejected_ref, beta) * len(contrasts)


def _contrasts(learner: Learner, preferred: Sequence[Preference]) -> list[Contrast]:
    """Add to each preference the current model's log-probabilities, DPO's reference."""
    items = [item for preference in preferred for item in _answered(learner, preference)]
    sums = learner.likelihood.sums(items, learner.options.llm.batch_tokens).view(-1, 2)
    return [Contrast(p, *row) for p, row in zip(preferred, sums.tolist(), strict=True)]


def _answered(learner: Learner, preference: Preference) -> tuple[AnsweredPrompt, AnsweredPrompt]:
    """Return the pair's prompt with the chosen and with the rejected trajectory."""
    pair = preference.pair
    prompt = learner.judge.prompt_of(pair.query, pair.passage.text).prompt
    return (
        answered(learner.model, prompt, preference.chosen),
        answered(learner.model, prompt, preference.rejected),
    )


def _key(pair: GradedPair) -> tuple[str, str]:
    return pair.query_id, pair.passage.id
