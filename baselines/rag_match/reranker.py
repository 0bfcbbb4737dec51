"""RAG-Match: a pointwise judge in three grades, trained in three stages (arXiv 2605.25486)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from baselines.llm.listwise import TOKENS_A_WORD
from baselines.rag_match.options import JudgeOptions, JudgeTraining
from baselines.rag_match.trace import OPENING, Trace
from resrank.efficiency.common_work import estimated_pairs, text_tokens
from resrank.ranking import Request, ranked
from resrank.records import GRADES, Candidate, Query, Ranking, Usage
from resrank.reranker import DeclaredCounts, Reranker, TrainingData, TrainingJob
from resrank.work import Pass, QueryShape, Work

if TYPE_CHECKING:
    from baselines.llm.backends.transformers import TransformersModel

WRITTEN = 64  # tokens of a trace of the asked form, about


class RagMatch(Reranker):
    """One forward pass a pair, whose score is the expected grade; two with reasoning, and a trace.

    Nothing is retrieved when it judges: what it knows of a query is in its weights.
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
        """Load the language model, or the one that `train` wrote."""
        from baselines.llm.backends.transformers import TransformersModel

        return cls(options, TransformersModel(options.llm.trained(model_dir)))

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
        """A pass a pair; with reasoning one that writes and one that reads it with the grade."""
        calls, written = usage.model_calls, usage.generated_tokens
        writing = calls // 2 if options.reasoning else 0
        steps, logits = written - writing, calls - writing + written
        return [Pass(options.llm.named, Work(calls, usage.prompt_tokens, steps, logits))]

    @staticmethod
    def estimate_usage(options: JudgeOptions, shape: QueryShape) -> Usage:
        """The usage of a ranking that has not been made, whose traces have the usual form."""
        fixed = text_tokens(options.instruction, "Query: Passage: ")
        words = round(options.words * TOKENS_A_WORD)
        shown = shape._replace(passage_tokens=min(shape.passage_tokens, words))
        limit = options.llm.context or fixed + shape.query_tokens + words
        once = estimated_pairs(shown, fixed, limit)
        read = Usage(prompt_tokens=shape.candidates * text_tokens(OPENING))
        if not options.reasoning:
            return once + read
        trace = shape.candidates * min(WRITTEN, options.max_new_tokens)
        return once + once + read + Usage(prompt_tokens=trace, generated_tokens=trace)

    @property
    def dtype(self) -> str:
        """Number format of the weights."""
        return self.model.dtype

    @property
    def about(self) -> Mapping[str, Any]:
        """What a run's manifest says beside the configuration."""
        return {"parameters": dict(self.model.identity)}

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """A call a pair and no token, or two calls and a trace."""
        if not self.options.reasoning:
            return DeclaredCounts(candidates, 0, 0)
        most = candidates * self.options.max_new_tokens
        return DeclaredCounts(2 * candidates, range(candidates, most + 1), 0)

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """One query's candidates by their expected grade."""
        shown = [self.judge.show(query.text, c.passage.text) for c in candidates]
        prompts = [one.prompt for one in shown]
        usage = Usage(truncated_passages=sum(one.cut for one in shown))
        openings = [OPENING] * len(shown)
        if self.options.reasoning:
            reasoned = self.judge.write(prompts)
            openings = [one.opening for one in reasoned]
            usage += Usage(
                prompt_tokens=sum(one.answer.prompt_tokens for one in reasoned),
                generated_tokens=sum(one.answer.generated_tokens for one in reasoned),
                model_calls=len(reasoned),
                clean_answers=sum(isinstance(one.trace, Trace) for one in reasoned),
                rejected_answers=sum(not isinstance(one.trace, Trace) for one in reasoned),
            )
        found, read = self.judge.grade(prompts, openings)
        usage += Usage(prompt_tokens=sum(read), model_calls=len(read))
        probabilities = found.double().numpy()
        scores = probabilities @ range(GRADES)
        return ranked(query, candidates, scores, usage, probabilities)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Queries in turn: a query's pairs fill the batches by themselves."""
        from tqdm import tqdm

        bar = tqdm(requests, desc="judging pairs", unit="query")
        return [self.rerank(query, candidates) for query, candidates in bar]
