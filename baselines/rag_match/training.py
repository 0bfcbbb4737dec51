"""RAG-Match's training: up to three stages, one after the other (arXiv 2605.25486)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baselines.llm.open import open_model
from baselines.llm.transcript import RecordedModel
from baselines.rag_match.alignment import learn_to_judge
from baselines.rag_match.calibration import learn_to_prefer
from baselines.rag_match.documents import Documents, write_documents
from baselines.rag_match.evidence import read_evidence
from baselines.rag_match.knowledge import learn_to_write
from baselines.rag_match.learner import Learner
from baselines.rag_match.options import (
    AlignmentStage,
    JudgeOptions,
    JudgeTraining,
    LlmTeacherOptions,
    LlmWriterOptions,
)
from baselines.rag_match.pairs import check_graded
from baselines.rag_match.synthesis import ExtractiveSynthesiser, LlmSynthesiser, Synthesiser
from baselines.rag_match.teacher import DocumentedPair, LlmTeacher, RuleTeacher, TraceTeacher
from resrank.records import TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.processes import processes


def train_stages(
    options: JudgeOptions,
    training: JudgeTraining,
    examples: Sequence[TrainingExample],
    out: Path,
    job: TrainingJob,
) -> None:
    """Train a language model and write it under `out`, with each stage's counts.

    Answers of language models that write documents or traces are recorded beside `out`. Raises
    ValueError if a stage has nothing to learn from.
    """
    if training.alignment is not None:
        check_graded(examples)
    learner = Learner(options, training, job)
    documents = processes().main_first(lambda: _documents(training, examples, out, job))
    counts: dict[str, Any] = {}
    if training.knowledge is not None:
        counts["knowledge"] = learn_to_write(learner, training.knowledge, documents, examples)
    if training.alignment is not None:
        texts = {e.query.id: documents[place].text for place, e in enumerate(examples)}
        teacher = _teacher(training.alignment, out)
        counts["alignment"] = learn_to_judge(learner, training.alignment, examples, texts, teacher)
        if training.calibration is not None:
            trace_teacher = teacher if training.alignment.traced else None
            counts["calibration"] = learn_to_prefer(
                learner, training.calibration, examples, texts, trace_teacher
            )
    learner.save(out, counts)


def _documents(
    training: JudgeTraining, examples: Sequence[TrainingExample], out: Path, job: TrainingJob
) -> Documents:
    """Return the documents of the examples and of further queries; write them if they are missing.

    The file outlives a killed job, so that its successor reads it.
    """
    path = job.checkpoints / f"{job.key[:16]}.documents.jsonl"
    if not path.is_file():
        exported = training.knowledge.queries if training.knowledge is not None else None
        queries = read_evidence(examples, exported, training.evidence)
        write_documents(path, queries, _synthesiser(training, out))
    return Documents(path)


def _synthesiser(training: JudgeTraining, out: Path) -> Synthesiser:
    options, words = training.synthesiser, training.document_words
    if isinstance(options, LlmWriterOptions):
        return LlmSynthesiser(_recorded(options, out), words, options.max_new_tokens)
    return ExtractiveSynthesiser(words)


def _teacher(stage: AlignmentStage, out: Path) -> TraceTeacher:
    options = stage.teacher
    if not isinstance(options, LlmTeacherOptions):
        return RuleTeacher()

    def write(pairs: Sequence[DocumentedPair]) -> Any:
        # The main process calls the model; the others read its recorded answers.
        return processes().main_first(lambda: LlmTeacher(_recorded(options, out), options)(pairs))

    return write


def _recorded(options: LlmWriterOptions, out: Path) -> RecordedModel:
    """Return a language model whose answers are recorded beside the model that is trained."""
    model = open_model(options.llm)
    return RecordedModel(model, out, {**model.parameters, "max_new_tokens": options.max_new_tokens})
