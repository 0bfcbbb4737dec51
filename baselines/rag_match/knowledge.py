"""Stage I, knowledge injection: learn to write each query's document from the query alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import torch
from numpy.random import Generator
from torch import Tensor

from baselines.rag_match.documents import Document, Documents
from baselines.rag_match.learner import Learner, StageTask
from baselines.rag_match.options import KnowledgeStage
from baselines.rag_match.prompts import document_prompt
from baselines.rag_match.sequences import answered
from resrank.records import TrainingExample
from resrank.training.mixture import by_collection, choose, share


def learn_to_write(
    learner: Learner,
    stage: KnowledgeStage,
    documents: Documents,
    examples: Sequence[TrainingExample],
) -> dict[str, int]:
    """Fit the model in place; return the numbers of documents learned and of queries without one.

    documents: of the examples, in their order, then of further queries. Raises ValueError if every
    document is empty.
    """
    places = _places(stage, documents, examples, learner.rng(1, 1))
    if not places:
        raise ValueError(
            f"none of {len(documents)} queries has evidence to make a document of: the first stage "
            "retrieved nothing for them; train with a better first stage, or leave out `knowledge`"
        )
    order = learner.rng(1).permutation(len(places))[: stage.max_queries]
    kept = [places[i] for i in order]

    def losses(batch: Sequence[int], batch_size: int) -> Tensor:
        items = [
            answered(learner.model, document_prompt(stage.instruction, query), text)
            for query, text in (documents[place] for place in batch)
        ]
        means = [tokens.mean() for tokens in learner.likelihood(items)]
        return -torch.stack(means).sum().unsqueeze(0) / batch_size

    def describe(place: int) -> str:
        document: Document = documents[place]
        return document.query

    task = StageTask(
        "knowledge",
        kept,
        stage.batch_queries,
        {"document": 1.0},
        losses,
        describe,
        unit="documents",
    )
    learner.fit(stage, task)
    return {"documents": len(kept), "queries_without_evidence": len(documents) - len(places)}


def _places(
    stage: KnowledgeStage,
    documents: Documents,
    examples: Sequence[TrainingExample],
    rng: Generator,
) -> list[int]:
    """Return the line numbers, from 0, of documents with a text that the stage may learn.

    rng: draws the queries of a mixture by the weights of its collections.
    """
    used = share(examples, *stage.share)
    if len(by_collection(used)) > 1:
        used = choose(used, None, rng)
    times = Counter(example.query.id for example in used)
    of_examples = (place for place, e in enumerate(examples) for _ in range(times[e.query.id]))
    further = range(len(examples), len(documents))
    return [place for place in chain(of_examples, further) if documents[place].text]
