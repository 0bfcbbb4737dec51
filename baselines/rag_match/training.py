"""RAG-Match's three stages one after the other, each of which may be left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baselines.llm.open import open_model
from baselines.llm.transcript import Recorded
from baselines.rag_match.alignment import learn_to_judge
from baselines.rag_match.calibration import learn_to_prefer
from baselines.rag_match.documents import (
    Documents,
    Extracts,
    Synthesises,
    Writes,
    evidence,
    write_documents,
)
from baselines.rag_match.knowledge import learn_to_write
from baselines.rag_match.learner import Learner, on_main_first
from baselines.rag_match.options import Alignment, JudgeOptions, JudgeTraining, Written
from baselines.rag_match.pairs import check_graded
from baselines.rag_match.teacher import Asked, ByModel, ByRules, Teaches
from resrank.records import TrainingExample
from resrank.reranker import TrainingJob


def train_stages(
    options: JudgeOptions,
    training: JudgeTraining,
    examples: Sequence[TrainingExample],
    out: Path,
    job: TrainingJob,
) -> None:
    """Train a language model and write it under `out`, with what each stage counted.

    Answers of language models that write documents or traces are recorded beside `out`.
    """
    if training.alignment is not None:
        check_graded(examples)
    learner = Learner(options, training, job)
    documents = on_main_first(lambda: _documents(training, examples, out, job))
    counts: dict[str, Any] = {}
    if training.knowledge is not None:
        counts["knowledge"] = learn_to_write(learner, training.knowledge, documents, examples)
    if training.alignment is not None:
        told = {e.query.id: documents[place].text for place, e in enumerate(examples)}
        teacher = _teacher(training.alignment, out)
        counts["alignment"] = learn_to_judge(learner, training.alignment, examples, told, teacher)
        if training.calibration is not None:
            writes = teacher if training.alignment.traced else None
            counts["calibration"] = learn_to_prefer(
                learner, training.calibration, examples, told, writes
            )
    learner.save(out, counts)


def _documents(
    training: JudgeTraining, examples: Sequence[TrainingExample], out: Path, job: TrainingJob
) -> Documents:
    """The examples' documents and those of further queries; an earlier, killed job's are kept."""
    path = job.checkpoints / f"{job.key[:16]}.documents.jsonl"
    if not path.is_file():
        more = training.knowledge.queries if training.knowledge is not None else None
        found = evidence(examples, more, training.evidence)
        write_documents(path, found, _synthesiser(training, out))
    return Documents(path)


def _synthesiser(training: JudgeTraining, out: Path) -> Synthesises:
    how, words = training.synthesiser, training.document_words
    if isinstance(how, Written):
        return Writes(_recorded(how, out), words, how.max_new_tokens)
    return Extracts(words)


def _teacher(stage: Alignment, out: Path) -> Teaches:
    how = stage.teacher
    if not isinstance(how, Written):
        return ByRules()

    def ask(asked: Sequence[Asked]) -> Any:
        return on_main_first(lambda: ByModel(_recorded(how, out), how.max_new_tokens)(asked))

    return ask


def _recorded(how: Written, out: Path) -> Recorded:
    """A language model whose answers are written down beside the model that is trained."""
    model = open_model(how.llm)
    return Recorded(model, out, {**model.parameters, "max_new_tokens": how.max_new_tokens})
