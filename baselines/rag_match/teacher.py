"""Stage II's teachers, which write the traces that the model learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from baselines.llm.transcript import RecordedModel
from baselines.rag_match.grounding import grounding
from baselines.rag_match.options import LlmTeacherOptions
from baselines.rag_match.pairs import GradedPair
from baselines.rag_match.prompts import teacher_prompt
from baselines.rag_match.terms import sentences, terms
from baselines.rag_match.trace import LEVELS, Level, Malformed, PassageAlignment, Trace, parse
from resrank.rejected_answers import RejectedAnswers


class DocumentedPair(NamedTuple):
    """A graded pair and the document of its query."""

    pair: GradedPair
    document: str


class TraceTeacher(Protocol):
    """Writes traces of pairs."""

    def __call__(self, pairs: Sequence[DocumentedPair]) -> Sequence[Trace | Malformed]:
        """Return a trace per pair, in the same order, or its defect where it is malformed."""
        ...


class RuleTeacher:
    """Derives a trace by rules; its grade is the pair's.

    Intent consistency follows the grade, because whoever graded the pair has seen whether the
    passage serves the query. The other dimensions are shares:

    - entity fidelity: share of the query's terms that the passage has;
    - logical completeness: share of the query's and the document's terms that the passage has;
    - information density: share of the passage's sentences that have a term of the query.
    """

    def __call__(self, pairs: Sequence[DocumentedPair]) -> list[Trace]:
        """Return a trace per pair, in the same order."""
        return [self._trace(pair, document) for pair, document in pairs]

    def _trace(self, pair: GradedPair, document: str) -> Trace:
        query_terms, passage_terms = terms(pair.query), terms(pair.passage.text)
        all_terms = query_terms | terms(document)
        lines = sentences(pair.passage.text)
        dense = sum(bool(query_terms & terms(line)) for line in lines) / max(1, len(lines))
        return Trace.model_validate(
            {
                "grounding": grounding(pair.query, document),
                "alignment": PassageAlignment(
                    intent_consistency=LEVELS[pair.grade],
                    entity_fidelity=_level_of_overlap(query_terms, passage_terms),
                    logical_completeness=_level_of_overlap(all_terms, passage_terms),
                    information_density=_level(dense),
                ),
                "grade": pair.grade,
            }
        )


class LlmTeacher:
    """Lets a language model write the traces without the grades; its answers are recorded."""

    def __init__(self, model: RecordedModel, options: LlmTeacherOptions) -> None:
        self.model = model
        self.options = options

    def __call__(self, pairs: Sequence[DocumentedPair]) -> list[Trace | Malformed]:
        """Return a trace per pair, in the same order, or the defect of the model's answer.

        Raises TooManyRejected if more answers are malformed than `max_rejected` allows: training
        would go on with grades alone.
        """
        prompts = [teacher_prompt(p.query, document, p.passage.text) for p, document in pairs]
        answers = dict(self.model.answers(prompts, self.options.max_new_tokens))
        traces = [parse(answers[i].final) for i in range(len(pairs))]
        rejected = RejectedAnswers("the teacher of traces", self.options.max_rejected, len(pairs))
        for place, trace in enumerate(traces):
            if isinstance(trace, Malformed):
                rejected.add(pairs[place].pair.query_id, trace.reason, answers[place].text)
        return traces


def _level_of_overlap(expected: frozenset[str], present: frozenset[str]) -> Level:
    return _level(len(expected & present) / max(1, len(expected)))


def _level(share: float) -> Level:
    return LEVELS[0 if share == 0 else 1 if share < 0.5 else 2]
