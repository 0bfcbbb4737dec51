"""Listwise reranking by a language model's written permutation (Sun et al., EMNLP 2023)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from baselines.llm.answer_options import AnswerOptions
from baselines.llm.answers import Rule, Verdict, parse, rejection_reason
from baselines.llm.interface import CUT, TOO_LONG, Answer, LanguageModel
from baselines.llm.listwise_options import ListwiseOptions, ListwiseTraining
from baselines.llm.listwise_prompts import WindowPrompts, answer_tokens, expected_prompts
from baselines.llm.options import BackEnd, TransformersOptions
from baselines.llm.prompts.template import template
from resrank.phases import phase
from resrank.ranking import Listed, Request, by_windows
from resrank.records import Ranking, Usage
from resrank.reranker import DeclaredCounts, Reranker, TrainingData, TrainingJob
from resrank.windows import window_sizes
from resrank.work import Pass, QueryShape, Work

if TYPE_CHECKING:
    from baselines.llm.transcript import RecordedModel


class RankGPTOptions(AnswerOptions, ListwiseOptions):
    """Which model, how it is prompted, and how its answers are read."""

    llm: BackEnd = Field(description="The language model and what serves it.")
    parser: Rule = Field("any_digits", description="How answers are read.")
    max_new_tokens: int | None = Field(
        None, ge=1, description="Longest answer; unset: 6 tokens per passage of the window."
    )

    @property
    def files(self) -> list[Path]:
        """Return the prompt's file and the transcript's, if there are any."""
        return super().files + (self.llm.files if self.llm.kind == "replay" else [])

    @property
    def asks_endpoint(self) -> bool:
        """Whether the model is behind HTTP."""
        return self.llm.kind == "http"

    @property
    def rejection_limit(self) -> float | None:
        """Return `max_rejected`; None for answers of an exact length, which rank nothing."""
        exact = self.llm.kind == "transformers" and self.llm.exact_answers
        return None if exact else self.max_rejected

    @property
    def is_replayed(self) -> bool:
        """Whether a transcript answers, so that there is no time to measure."""
        return self.llm.kind == "replay"


class RankGPT(Reranker):
    """Slides windows from the list's end to its start; the model writes the order of each."""

    Options = RankGPTOptions
    Training = ListwiseTraining
    reads_lists = True

    def __init__(self, options: RankGPTOptions, model: LanguageModel) -> None:
        self.options = options
        self.llm = model
        self.model: LanguageModel = model
        self.transcript: RecordedModel | None = None
        self.template = template(options.prompt)
        self.price: float | None = None
        self.shortened = self.cut_off = 0
        self.longest = options.max_new_tokens or 6 * options.window.size

    @classmethod
    def load(cls, options: RankGPTOptions, model_dir: Path | None = None) -> Self:
        """Open the language model, or the one that `train` wrote."""
        from baselines.llm.open import open_model

        return cls(options, open_model(options.llm, model_dir))

    @classmethod
    def start(cls, options: RankGPTOptions, seed: int) -> Self:
        """Open the language model; a new one's weights follow the seed."""
        from baselines.llm.open import open_model

        return cls(options, open_model(options.llm, seed=seed))

    @classmethod
    def train(
        cls,
        options: RankGPTOptions,
        training: ListwiseTraining,
        data: TrainingData,
        out: Path,
        job: TrainingJob,
    ) -> None:
        """Teach the model to write a window's order, and save it under `out`."""
        from baselines.llm.listwise_training import train_listwise

        llm = _trainable(options)
        train_listwise(llm, options, training, data.train, out, job)

    @classmethod
    def check_training(cls, options: RankGPTOptions) -> None:
        """Raise ValueError if the model is not in this process."""
        _trainable(options)

    def keep_transcript(self, run: Path) -> None:
        """Record every call beside the run file, and repeat none that is already recorded."""
        from baselines.llm.transcript import RecordedModel

        if self.options.llm.kind != "replay":
            self.model = self.transcript = RecordedModel(self.llm, run, self.parameters)

    def recorded_clock(self, run: Path | None) -> Callable[[], int] | None:
        """Replay an endpoint's recorded answers and times, so that no call is paid for twice."""
        from baselines.llm.backends.replay import replay_beside

        if not self.options.asks_endpoint:
            return None
        self.model = replay = replay_beside(run, self.parameters)
        return replay.clock

    @property
    def dtype(self) -> str:
        """Return the number format of a model in this process."""
        return str(self.model.parameters.get("dtype", "none"))

    @property
    def parameters(self) -> dict[str, Any]:
        """Return everything that the model's answers depend on beside the prompt."""
        return dict(self.llm.parameters) | {"max_new_tokens": self.longest}

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the prompt's hash, the model's parameters, and what its calls took."""
        about: dict[str, Any] = {"prompt_hash": self.template.hash, "parameters": self.parameters}
        if self.transcript is not None:
            about["transcript"] = dict(self.transcript.about)
        about |= {"price": self.price} if self.price is not None else {}
        counts = {"shortened_prompts": self.shortened, "cut_off_answers": self.cut_off}
        return about | {name: count for name, count in counts.items() if count}

    @staticmethod
    def passes(options: RankGPTOptions, usage: Usage, candidates: int) -> list[Pass] | None:
        """Return each window's prompt, then its order token by token.

        The prompt's pass gives the first token.
        """
        if options.llm.kind != "transformers":
            return None
        calls, written = usage.model_calls, usage.generated_tokens
        work = Work(calls, usage.prompt_tokens, steps=written - calls, logits=written)
        return [Pass(options.llm.named, work)]

    @staticmethod
    def estimate_usage(options: RankGPTOptions, shape: QueryShape) -> Usage:
        """Return the usage of windows whose answers have the requested form."""
        sizes = window_sizes(shape.candidates, options.window)
        limit = options.llm.context if options.llm.kind == "transformers" else None
        return expected_prompts(options, sizes, shape, limit) + Usage(
            generated_tokens=sum(map(answer_tokens, sizes))
        )

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return one answer per window."""
        windows = window_sizes(candidates, self.options.window)
        return DeclaredCounts(model_calls=len(windows), embedding_slots=0, answers=len(windows))

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries; the windows of one round are sent together."""
        usages = [Usage() for _ in requests]
        prompts = WindowPrompts(
            self.template, self.options.words, self.longest, self.llm, requests, usages
        )
        return by_windows(
            requests, self.options.window, usages, lambda windows: self._order(windows, prompts)
        )

    def _order(
        self, windows: Sequence[Sequence[Listed]], prompts: WindowPrompts
    ) -> list[list[int]]:
        """Return each window's indices in the order that the model answers, counted as used."""
        places: list[list[int]] = [[] for _ in windows]
        longest = self._answer_tokens(windows)
        for number, answer in self._answers(windows, prompts, longest):
            window = windows[number]
            with phase("score"):
                parsed = parse(answer.final, len(window), self.options.parser)
            places[number] = parsed.places
            row = window[0][0]
            _count(answer, parsed.verdict, prompts.usages[row])
            self._charge(answer)
            self._notice_end(answer, longest)
            if parsed.verdict == Verdict.REJECTED and self.rejected is not None:
                reason = rejection_reason(answer.final, len(window), self.options.parser)
                if answer.finish == CUT or answer.generated_tokens >= longest:
                    reason += f" and is cut off after {longest} tokens"
                elif answer.finish not in ("", "stop"):
                    reason += f"; the endpoint ended it by {answer.finish!r}"
                self.rejected.add(prompts.requests[row][0].id, reason, answer.text)
        return places

    def _answers(
        self, windows: Sequence[Sequence[Listed]], prompts: WindowPrompts, longest: int
    ) -> Iterator[tuple[int, Answer]]:
        """Yield (number of the window, its answer).

        The passages of a window that does not fit the endpoint's context are cut further.
        """
        waiting = {number: prompts.build(window) for number, window in enumerate(windows)}
        while waiting:
            numbers, sent = zip(*waiting.items(), strict=True)
            refused: dict[int, tuple[int, str]] = {}
            for place, answer in self.model.answers([prompt for prompt, _ in sent], longest):
                if answer.finish == TOO_LONG:
                    refused[numbers[place]] = sent[place][1], answer.text
                else:
                    yield numbers[place], answer
            waiting = {n: prompts.shorten(windows[n], *refused[n]) for n in sorted(refused)}
            self.shortened += len(waiting)

    def _answer_tokens(self, windows: Sequence[Sequence[Listed]]) -> int:
        """Return the longest answer; with `exact_answers`, a permutation of the largest window."""
        llm = self.options.llm
        if llm.kind != "transformers" or not llm.exact_answers:
            return self.longest
        order = " > ".join(f"[{place}]" for place in range(1, 1 + max(map(len, windows))))
        tokenizer: Any = self.llm.tokenizer  # type: ignore[attr-defined]
        return len(tokenizer(order, add_special_tokens=False)["input_ids"]) + 1  # and the end

    def _notice_end(self, answer: Answer, longest: int) -> None:
        """Count an answer that was cut off, and warn of it."""
        if answer.finish == CUT and self.options.rejection_limit is not None:
            self.cut_off += 1
            warnings.warn(
                f"answers are cut off after {longest} tokens, some perhaps within their reasoning; "
                "raise `max_new_tokens`, or let the model not reason",
                stacklevel=1,
            )

    def _charge(self, answer: Answer) -> None:
        """Add the price of an answer, where the endpoint's prices are given."""
        llm = self.options.llm
        if llm.kind == "http" and llm.price_in is not None and llm.price_out is not None:
            cost = answer.prompt_tokens * llm.price_in + answer.generated_tokens * llm.price_out
            self.price = (self.price or 0.0) + cost / 1e6


def _count(answer: Answer, verdict: Verdict, usage: Usage) -> None:
    """Add an answer's tokens, its call and its verdict to the usage of its query."""
    usage.prompt_tokens += answer.prompt_tokens
    usage.generated_tokens += answer.generated_tokens
    usage.model_calls += 1
    usage.clean_answers += verdict == Verdict.CLEAN
    usage.repaired_answers += verdict == Verdict.REPAIRED
    usage.rejected_answers += verdict == Verdict.REJECTED


def _trainable(options: RankGPTOptions) -> TransformersOptions:
    """Return the model to be trained. Raises ValueError if it is not in this process."""
    if options.llm.kind != "transformers":
        raise ValueError(
            f"a model behind {options.llm.kind!r} cannot be trained here; name one with "
            "`kind: transformers`, or leave out `training`"
        )
    return options.llm
