"""E2Rank: a listwise prompt as an enriched query (arXiv 2510.22733, section 3).

One embedding model retrieves and reranks. The prompt holds the query and the first candidates; its
embedding replaces the query's, and passages are ranked by their cosine with it. Passage embeddings
are those of retrieval, so a query costs one forward pass over its prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from baselines.e2rank.options import E2RankOptions, E2RankTraining
from resrank.efficiency.common_work import embedded, estimated_embeddings, text_tokens
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.embeds_passages import EmbedsPassages
from resrank.model.options import EncoderOptions
from resrank.phases import phase
from resrank.ranking import Request
from resrank.records import Ranking, Usage
from resrank.reranker import DeclaredCounts, TrainingData, TrainingJob
from resrank.work import Pass, QueryShape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from resrank.model.encoder import Encoder


class E2Rank(EmbedsPassages):
    """Cosine of passage embeddings with the embedding of query and candidates together."""

    Options = E2RankOptions
    Training = E2RankTraining
    instructed = frozenset({"query_instruction", "task"})

    def __init__(self, encoder: Encoder, options: E2RankOptions) -> None:
        from baselines.e2rank.prompt import ListwisePrompt
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.encoder = encoder
        self.options = options
        self.prompt = ListwisePrompt(encoder, options)
        self.embeddings = PassageEmbeddings(encoder)

    @classmethod
    def load(cls, options: E2RankOptions, model_dir: Path | None = None) -> Self:
        """Load the encoder that the options name, or the one that `train` wrote."""
        from resrank.model.encoder import Encoder

        encoder = options.encoder
        if model_dir is not None:
            encoder = encoder.model_copy(update={"model": str(model_dir), "revision": None})
        return cls(Encoder.from_options(encoder), options)

    @staticmethod
    def encoder_options(
        options: E2RankOptions, training: E2RankTraining | None, model_dir: str | None
    ) -> EncoderOptions:
        """Return the encoder whose passage embeddings can be stored, trained or not."""
        encoder = options.encoder
        return encoder.model_copy(update={"model": model_dir}) if model_dir else encoder

    @staticmethod
    def passes(options: E2RankOptions, usage: Usage, candidates: int) -> list[Pass]:
        """Return the passes that embed the passages and the listwise prompt."""
        return embedded(options.encoder.named, usage, candidates)

    @staticmethod
    def estimate_usage(options: E2RankOptions, shape: QueryShape) -> Usage:
        """Return the usage of one prompt and the passages' embeddings."""
        listed = min(options.prompt_passages, shape.candidates)
        numbers = text_tokens(*(f"[{place}] \n" for place in range(1, listed + 1)))
        fixed = text_tokens(options.task, "\nDocuments:\n", "Search Query: ") + numbers
        prompt = fixed + shape.query_tokens + listed * shape.passage_tokens
        passages = estimated_embeddings(options.encoder, shape, query=False)
        return passages + Usage(prompt_tokens=prompt, query_encoder_tokens=prompt, model_calls=1)

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return one call for the listwise prompt and one embedding per passage."""
        return DeclaredCounts(
            model_calls=1, generated_tokens=0, embedding_slots=0, encoded_passages=candidates
        )

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries, `batch_prompts` in a forward pass."""
        from resrank.model.passage_embeddings import by_vectors

        ids = [self.prompt.ids(q.text, [c.passage.text for c in listed]) for q, listed in requests]
        size = self.options.batch_prompts
        blocks = (ids[start : start + size] for start in range(0, len(ids), size))
        vectors = (vector for block in blocks for vector in self._read(block))
        return by_vectors(self.embeddings, requests, ids, vectors)

    def _read(self, prompts: Sequence[list[int]]) -> NDArray[np.float32]:
        """Return the embedding of each listwise prompt, (prompts, width)."""
        with phase("prefill"):
            vectors: NDArray[np.float32] = self.encoder.embed_batch(prompts).numpy()
        return vectors

    @classmethod
    def train(
        cls,
        options: E2RankOptions,
        training: E2RankTraining,
        data: TrainingData,
        out: Path,
        job: TrainingJob,
    ) -> None:
        """Train the encoder with both losses at once and save it under `out`."""
        from baselines.e2rank.prompt import ListwisePrompt
        from baselines.e2rank.training import train_prompts
        from resrank.model.device import set_seeds
        from resrank.model.encoder import Encoder
        from resrank.training.processes import processes

        set_seeds(job.seed)
        encoder = Encoder.from_options(options.encoder.model_copy(update={"dtype": "float32"}))
        prompt = ListwisePrompt(encoder, options)
        counts = train_prompts(encoder, prompt, data.train, training, job)
        if not processes().is_main:
            return
        with atomic_folder(out) as folder:
            encoder.save_pretrained(folder)
            about = {"seed": job.seed, "training": training.model_dump(), **counts}
            write_json(folder / "provenance.json", about)
