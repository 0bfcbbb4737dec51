"""Stage III: the model prefers the right grade's trajectory where it was wrong by one grade."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from baselines.rag_match.dpo import dpo
from baselines.rag_match.learner import Learner
from baselines.rag_match.options import Calibration
from baselines.rag_match.pairs import Pair, as_ranked
from baselines.rag_match.preferences import Preference, preferences, trajectories
from baselines.rag_match.sequences import Answered, answered
from baselines.rag_match.teacher import Teaches
from resrank.records import TrainingExample
from resrank.training.lists import choose, share


class Contrast(NamedTuple):
    """A preference, and its trajectories' log-probabilities before the stage."""

    preference: Preference
    chosen: float
    rejected: float


class Lesson(NamedTuple):
    """A pair whose grade is learned, and the contrast that it gives, if the model was wrong."""

    pair: Pair
    contrast: Contrast | None


def learn_to_prefer(
    learner: Learner, stage: Calibration, examples: Sequence[TrainingExample],
    documents: Mapping[str, str], teacher: Teaches | None,
) -> dict[str, Any]:  # fmt: skip
    """Fit in place; returns how the model's answers were and how many preferences they gave.

    teacher: None where the model writes no traces. Without an adjacent error the model stays as it
    is, and this is said.
    """
    kept = choose(share(examples, *stage.share), stage.max_queries, learner.rng(3))
    pairs = as_ranked(kept, stage.pairs, learner.rng(3, 1))
    with learner.mixed():
        own = trajectories(learner.judge, learner.run.share(pairs), traces=teacher is not None)
    answers = learner.run.gathered(own, len(pairs))
    found, counts = preferences(pairs, answers, documents, teacher)
    if not found:
        said = (
            f"stage three: no preference among {len(pairs)} judged pairs ({counts['right']} right, "
            f"{counts['further']} wrong by two grades, {counts['malformed']} malformed); the model "
            "stays as stage two left it"
        )
        print(said, file=sys.stderr, flush=True)
        return counts | {"left_alone": said}
    contrasts = {_key(c.preference.pair): c for c in _contrasts(learner, found)}
    lessons = [Lesson(pair, contrasts.get(_key(pair))) for pair in pairs]
    if stage.label_on == "errors":
        lessons = [lesson for lesson in lessons if lesson.contrast is not None]
    weights = {"preference": stage.preference_weight, "label": stage.label_weight}

    def losses(batch: Sequence[Lesson], whole: int) -> Tensor:
        label = learner.label_loss([lesson.pair for lesson in batch])
        wrong = [lesson.contrast for lesson in batch if lesson.contrast is not None]
        preference = _preference(learner, wrong, stage.beta) if wrong else label.new_zeros(())
        return torch.stack([preference, label]) / whole

    learner.fit(
        "calibration", stage, lessons, stage.batch_pairs, weights, losses,
        lambda lesson: lesson.pair.query_id,
    )  # fmt: skip
    return counts | {"learned": len(lessons)}


def _preference(learner: Learner, contrasts: Sequence[Contrast], beta: float) -> Tensor:
    """The sum of DPO's losses over contrasts."""
    chosen_items, rejected_items = zip(
        *(_answered(learner, c.preference) for c in contrasts), strict=True
    )
    items = [*chosen_items, *rejected_items]
    sums = torch.stack([tokens.sum() for tokens in learner.likelihood(items)])
    chosen, rejected = sums.chunk(2)
    chosen_ref = sums.new_tensor([c.chosen for c in contrasts])
    rejected_ref = sums.new_tensor([c.rejected for c in contrasts])
    return dpo(chosen, rejected, chosen_ref, rejected_ref, beta) * len(contrasts)


def _contrasts(learner: Learner, found: Sequence[Preference]) -> list[Contrast]:
    """The preferences with the log-probabilities of the model as it is: DPO's reference."""
    both = [_answered(learner, preference) for preference in found]
    sums = learner.likelihood.sums([item for pair in both for item in pair],
                                   learner.options.llm.batch_tokens).view(-1, 2)  # fmt: skip
    return [Contrast(p, *row) for p, row in zip(found, sums.tolist(), strict=True)]


def _answered(learner: Learner, preference: Preference) -> tuple[Answered, Answered]:
    prompt = _prompt(learner, preference.pair)
    return (
        answered(learner.model, prompt, preference.chosen),
        answered(learner.model, prompt, preference.rejected),
    )


def _prompt(learner: Learner, pair: Pair) -> Any:
    return learner.judge.show(pair.query, pair.passage.text).prompt


def _key(pair: Pair) -> tuple[str, str]:
    return pair.query_id, pair.passage.id
