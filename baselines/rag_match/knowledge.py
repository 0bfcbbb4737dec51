"""Stage I: the model learns to write each query's document from the query alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from baselines.rag_match.documents import Document, Documents
from baselines.rag_match.learner import Learner
from baselines.rag_match.options import Knowledge
from baselines.rag_match.prompts import about_query
from baselines.rag_match.sequences import answered
from resrank.records import TrainingExample
from resrank.training.lists import share


def learn_to_write(
    learner: Learner, stage: Knowledge, documents: Documents, examples: Sequence[TrainingExample]
) -> dict[str, int]:
    """Fit in place; returns how many documents were learned, and how many queries had none.

    documents: of the examples, in their order, then of further queries.
    """
    used = {example.query.id for example in share(examples, *stage.share)}
    own = (place for place, example in enumerate(examples) if example.query.id in used)
    places = [p for p in chain(own, range(len(examples), len(documents))) if documents[p].text]
    if not places:
        raise ValueError(
            f"none of {len(documents)} queries has evidence to make a document of: the first stage "
            "found nothing for them; train with a better first stage, or leave out `knowledge`"
        )
    order = learner.rng(1).permutation(len(places))[: stage.max_queries]
    kept = [places[i] for i in order]

    def losses(batch: Sequence[int], whole: int) -> Tensor:
        read = [documents[place] for place in batch]
        prompts = [about_query(stage.instruction, document.query) for document in read]
        items = [
            answered(learner.model, prompt, document.text)
            for prompt, document in zip(prompts, read, strict=True)
        ]
        found = learner.likelihood(items)
        return -torch.stack([tokens.mean() for tokens in found]).sum().unsqueeze(0) / whole

    def describe(place: int) -> str:
        document: Document = documents[place]
        return document.query

    learner.fit(
        "knowledge", stage, kept, stage.batch_queries, {"document": 1.0}, losses, describe,
        unit="documents",
    )  # fmt: skip
    return {"documents": len(kept), "queries_without_evidence": len(documents) - len(places)}
