"""RAG-Match: a pointwise judge in three grades, trained in three stages (arXiv 2605.25486)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from baselines.llm.listwise_prompts import TOKENS_PER_WORD
from baselines.rag_match.options import JudgeOptions, JudgeTraining
from baselines.rag_match.trace import OPENING, Malformed, Trace
from resrank.efficiency.common_work import estimated_pairs, text_tokens
from resrank.ranking import Request, ranked
from resrank.records import GRADES, Candidate, Query, Ranking, Usage
from resrank.reranker import DeclaredCounts, Reranker, TrainingData, TrainingJob
from resrank.work import Pass, QueryShape, Work

if TYPE_CHECKING:
    from baselines.llm.backends.transformers import TransformersModel
    from baselines.rag_match.judge import Reasoned

TRACE_TOKENS = 64
"""Estimated tokens of a well-formed trace, for a plan."""


class RagMatch(Reranker):
    """Scores a pair by its expected grade.

    One forward pass per pair reads the grade. With reasoning, the model first writes a trace, and
    a second pass reads the grade after it. Nothing is retrieved when it judges: its knowledge of a
    query is in its weights.
    """

    Options = JudgeOptions
    Training = JudgeTraining
    grades = GRADES

    def __init__(self, options: JudgeOptions, model: TransformersModel) -> None:
        from baselines.rag_match.judge import Judge

        self.options = options
        self.model = model
        self.judge = Judge(model, options)

    @classmethod
    def load(cls, options: JudgeOptions, model_dir: Path | None = None) -> Self:
        """Load the language model of the options, or the one that `train` wrote."""
        from baselines.llm.backends.transformers import TransformersModel

        return cls(options, TransformersModel(options.llm.trained(model_dir)))

    @classmethod
    def start(cls, options: JudgeOptions, seed: int) -> Self:
        """Load the language model; a new one's weights follow the seed."""
        from baselines.llm.backends.transformers import TransformersModel

        return cls(options, TransformersModel(options.llm, seed))

    @classmethod
    def train(
        cls,
        options: JudgeOptions,
        training: JudgeTraining,
        data: TrainingData,
        out: Path,
        job: TrainingJob,
    ) -> None:
        """Train stage by stage and save the model under `out`."""
        from baselines.rag_match.training import train_stages

        train_stages(options, training, data.train, out, job)

    @staticmethod
    def passes(options: JudgeOptions, usage: Usage, candidates: int) -> list[Pass]:
        """Return the language model's work: per pair one pass, or two with reasoning.

        With reasoning, one pass writes the trace and one reads it and the grade.
        """
        calls, written = usage.model_calls, usage.generated_tokens
        writing = calls // 2 if options.reasoning else 0
        steps, logits = written - writing, calls - writing + written
        return [Pass(options.llm.named, Work(calls, usage.prompt_tokens, steps, logits))]

    @staticmethod
    def estimate_usage(options: JudgeOptions, shape: QueryShape) -> Usage:
        """Estimate the usage of a ranking before it is made, with well-formed traces."""
        fixed = text_tokens(options.instruction, "Query: Passage: ")
        words = round(options.words * TOKENS_PER_WORD)
        cut = shape._replace(passage_tokens=min(shape.passage_tokens, words))
        limit = options.llm.context or fixed + shape.query_tokens + words
        once = estimated_pairs(cut, fixed, limit)
        read = Usage(prompt_tokens=shape.candidates * text_tokens(OPENING))
        if not options.reasoning:
            return once + read
        trace = shape.candidates * min(TRACE_TOKENS, options.max_new_tokens)
        return once + once + read + Usage(prompt_tokens=trace, generated_tokens=trace)

    @property
    def dtype(self) -> str:
        """Return the number format of the weights."""
        return self.model.dtype

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the language model's identity, for the run's manifest."""
        return {"parameters": dict(self.model.identity)}

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return the counts of a list: one call per pair, or two calls and a trace per pair."""
        if not self.options.reasoning:
            return DeclaredCounts(candidates, 0, 0)
        most = candidates * self.options.max_new_tokens
        return DeclaredCounts(2 * candidates, range(candidates, most + 1), 0, answers=candidates)

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """Rank one query's candidates by their expected grade."""
        pairs = [self.judge.prompt_of(query.text, c.passage.text) for c in candidates]
        prompts = [pair.prompt for pair in pairs]
        usage = Usage(truncated_passages=sum(pair.cut for pair in pairs))
        openings = [OPENING] * len(pairs)
        if self.options.reasoning:
            reasoned = self.judge.write(prompts)
            openings = [answer.opening for answer in reasoned]
            usage += _usage_of(reasoned)
            if self.rejected is not None:
                for trace, answer in reasoned:
                    if isinstance(trace, Malformed):
                        self.rejected.add(query.id, trace.reason, answer.text)
        grades, tokens_read = self.judge.grade(prompts, openings)
        usage += Usage(prompt_tokens=sum(tokens_read), model_calls=len(tokens_read))
        probabilities = grades.double().numpy()
        scores = probabilities @ range(GRADES)
        return ranked(query, candidates, scores, usage, probabilities)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank the queries in turn; one query's pairs fill the batches by themselves."""
        from tqdm import tqdm

        bar = tqdm(requests, desc="judging pairs", unit="query")
        return [self.rerank(query, candidates) for query, candidates in bar]


def _usage_of(reasoned: Sequence[Reasoned]) -> Usage:
    """Return the usage of written traces; a malformed one counts as a rejected answer."""
    well_formed = sum(isinstance(written.trace, Trace) for written in reasoned)
    return Usage(
        prompt_tokens=sum(written.answer.prompt_tokens for written in reasoned),
        generated_tokens=sum(written.answer.generated_tokens for written in reasoned),
        model_calls=len(reasoned),
        clean_answers=well_formed,
        rejected_answers=len(reasoned) - well_formed,
    )
