"""The cross-encoder's training: every query's relevant passage against first-stage negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from sentence_transformers import CrossEncoder
from torch import Tensor, nn

from baselines.cross_encoder.options import CrossEncoderTraining
from resrank.model.device import autocast
from resrank.records import TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.checkpoints import Checkpoints
from resrank.training.lists import negatives_of
from resrank.training.loop import TrainingPhase, fit
from resrank.training.losses import ranknet
from resrank.training.mixture import check_mixture, choose, in_batches, share, used_counts
from resrank.training.options import TrainingStage
from resrank.training.processes import processes
from resrank.training.query_use import report_queries
from resrank.training.teacher import scored_by


class LabelledPair(NamedTuple):
    """A query and a passage of its list; label: 1 for a relevant passage, else 0."""

    query_id: str
    query: str
    passage: str
    label: float


def train_pairs(
    model: CrossEncoder,
    examples: Sequence[TrainingExample],
    options: CrossEncoderTraining,
    job: TrainingJob,
) -> dict[str, Any]:
    """Train in place, and return how many queries were used and skipped.

    Raises ValueError if no query has both a relevant passage and candidates.
    """
    usable = usable_examples(examples, options)
    kept = choose(usable, options.max_queries, np.random.default_rng([job.seed]))
    if not kept:
        raise ValueError("no training query has both a relevant passage and candidates")
    stage = TrainingStage(share=options.share, max_queries=options.max_queries, negatives="sampled")
    report_queries("cross-encoder", stage, examples, usable, kept)

    def batches(epoch: int) -> list[list[LabelledPair]]:
        rng = np.random.default_rng([job.seed, epoch])
        groups = in_batches(kept, options.batch_queries, rng)
        return [[pair for e in group for pair in pairs_of(e, options, rng)] for group in groups]

    model.train()
    phase = TrainingPhase(
        name="cross-encoder",
        rates={name: options.learning_rate for name, _ in model.named_parameters()},
        epochs=options.epochs,
        warmup=0.1,
        batches=batches,
        backward=PairLosses(model, options),
        describe=lambda pairs: repr(pairs[0].query),
        mixed=None,
        unit="pairs",
    )
    fit(model, phase, Checkpoints(job.checkpoints, job.key), job.on_step)
    model.eval()
    return used_counts(examples, usable, kept)


def usable_examples(
    examples: Sequence[TrainingExample], options: CrossEncoderTraining
) -> list[TrainingExample]:
    """Return the share's examples with a relevant passage and candidates, in the given order."""
    shared = {e.query.id for e in share(examples, *options.share)}
    kept = [e for e in examples if e.query.id in shared and e.positives and e.candidates]
    check_mixture(examples, kept)
    if options.negative_filter is not None:
        kept = scored_by(kept, Path(options.negative_filter.teacher))
    return kept


def pairs_of(
    example: TrainingExample, options: CrossEncoderTraining, rng: Generator
) -> list[LabelledPair]:
    """Return one relevant passage and `negatives` candidates that are not judged relevant."""
    places = rng.permutation(
        sum(example.grades.get(c.passage.id, 0) <= 0 for c in example.candidates)
    )
    right = example.positives[int(rng.integers(len(example.positives)))]
    wrong = negatives_of(example, right, options.negative_filter)
    chosen = [wrong[i] for i in places if i < len(wrong)][: options.negatives]
    query = example.query
    return [
        LabelledPair(query.id, query.text, right.text, 1.0),
        *(LabelledPair(query.id, query.text, passage.text, 0.0) for passage in chosen),
    ]


class PairLosses:
    """Adds the gradients of this process's share of a batch of pairs."""

    def __init__(self, model: CrossEncoder, options: CrossEncoderTraining) -> None:
        self.model = model
        self.options = options
        self.device = next(model.parameters()).device
        self.run = processes()

    def __call__(self, pairs: Sequence[LabelledPair]) -> dict[str, float]:
        """Return the batch's mean loss: per pair if binary, else per query."""
        whole = self._units(pairs)
        units = self.run.share(whole)
        loss = torch.zeros((), device=self.device)
        if units:
            with autocast(None, self.device):
                loss = self._loss(units) / len(whole)
            loss.backward()  # type: ignore[no-untyped-call]
        return {"loss": self.run.add_up(loss.detach().clone()).item()}

    def _units(self, pairs: Sequence[LabelledPair]) -> list[list[LabelledPair]]:
        """Return what the loss is a mean over: pairs if it is binary, else each query's pairs."""
        if self.options.loss == "binary":
            return [[pair] for pair in pairs]
        return [list(group) for _, group in groupby(pairs, key=lambda pair: pair.query_id)]

    def _loss(self, units: Sequence[Sequence[LabelledPair]]) -> Tensor:
        """Return the sum of the units' losses, a scalar."""
        pairs = [pair for unit in units for pair in unit]
        logits = self._logits(pairs)
        labels = torch.tensor([pair.label for pair in pairs], device=logits.device)
        if self.options.loss == "binary":
            return nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum")
        sizes = [len(unit) for unit in units]
        lists = zip(torch.split(logits, sizes), torch.split(labels, sizes), strict=True)
        one = softmax_loss if self.options.loss == "softmax" else ranknet
        return torch.stack([one(scores, grades) for scores, grades in lists]).sum()

    def _logits(self, pairs: Sequence[LabelledPair]) -> Tensor:
        """Return one logit per pair, from forward passes over pairs of similar length."""
        ids = self.model.tokenizer(
            [pair.query for pair in pairs],
            [pair.passage for pair in pairs],
            truncation=True,
            max_length=self.options.max_tokens,
        )
        lengths = [len(tokens) for tokens in ids["input_ids"]]
        groups = length_groups(lengths, self.options.length_groups)
        parts = [self._forward({n: [ids[n][i] for i in group] for n in ids}) for group in groups]
        if len(parts) == 1:
            return parts[0]
        places = torch.tensor([i for group in groups for i in group], device=parts[0].device)
        return torch.cat(parts)[torch.argsort(places)]

    def _forward(self, ids: Mapping[str, Sequence[Sequence[int]]]) -> Tensor:
        batch = self.model.tokenizer.pad(ids, return_tensors="pt").to(self.device)
        logits: Tensor = self.model.model(**batch).logits
        return logits.squeeze(-1).float()


def length_groups(lengths: Sequence[int], count: int) -> list[list[int]]:
    """Return places in `lengths` in `count` groups of about equal size, short texts first.

    One group keeps the given order.
    """
    if count == 1:
        return [list(range(len(lengths)))]
    order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
    ends = [len(order) * number // count for number in range(count + 1)]
    groups = [order[start:end] for start, end in pairwise(ends)]
    return [group for group in groups if group]


def softmax_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of a list's relevant passage, a scalar.

    This is localized contrastive estimation, whose negatives come from the first stage's list (Gao
    et al., ECIR 2021, arXiv 2101.08751). scores: (passages,). labels: (passages,), 1 for the
    relevant passage and 0 for the others.
    """
    return -(torch.log_softmax(scores, dim=0) * labels).sum()
