"""Stage I's synthesisers: each turns a query's evidence into one document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from baselines.llm.interface import TOO_LONG
from baselines.llm.transcript import RecordedModel
from baselines.llm.word_limit import count_words, first_words
from baselines.rag_match.evidence import QueryEvidence
from baselines.rag_match.prompts import writer_prompt
from baselines.rag_match.terms import sentences, terms
from resrank.options import short_repr


class Synthesiser(Protocol):
    """Turns the evidence of queries into documents."""

    def __call__(self, queries: Sequence[QueryEvidence]) -> Sequence[str]:
        """Return one document per query, in the same order; empty without evidence."""
        ...


class ExtractiveSynthesiser:
    """Keeps the evidence's sentences that share most terms with the query, in their order."""

    def __init__(self, words: int) -> None:
        self.words = words

    def __call__(self, queries: Sequence[QueryEvidence]) -> list[str]:
        """Return one document per query, of at most `words` words."""
        return [self._document(item) for item in queries]

    def _document(self, item: QueryEvidence) -> str:
        query_terms = terms(item.query)
        lines = [line for text in item.texts for line in sentences(text)]
        best = sorted(range(len(lines)), key=lambda i: -len(query_terms & terms(lines[i])))
        kept, words_left = best[:1], self.words - count_words(lines[best[0]]) if best else 0
        for i in best[1:]:
            length = count_words(lines[i])
            if length <= words_left:
                kept.append(i)
                words_left -= length
        return first_words(" ".join(lines[i] for i in sorted(kept)), self.words)


class LlmSynthesiser:
    """Lets a language model write each document from the evidence; its answers are recorded."""

    def __init__(self, model: RecordedModel, words: int, max_new_tokens: int) -> None:
        self.model = model
        self.words = words
        self.max_new_tokens = max_new_tokens

    def __call__(self, queries: Sequence[QueryEvidence]) -> list[str]:
        """Return one document per query, of at most `words` words.

        The model is not called for a query without evidence.
        """
        places = [place for place, item in enumerate(queries) if item.texts]
        prompts = [writer_prompt(queries[i].query, queries[i].texts, self.words) for i in places]
        documents = [""] * len(queries)
        for number, answer in self.model.answers(prompts, self.max_new_tokens):
            if answer.finish == TOO_LONG:
                raise ValueError(
                    f"the evidence of the query {short_repr(queries[places[number]].query)} is "
                    f"longer than the endpoint's context: {answer.text!r}; use a model with a "
                    "longer one, or delete the transcript if its context is larger by now"
                )
            documents[places[number]] = first_words(answer.final, self.words)
        return documents
