"""E2Rank: a listwise prompt as an enriched query (arXiv 2510.22733, section 3).

One embedding model retrieves and reranks: the prompt holds the query and the first candidates, its
embedding is the query's, and passages are ranked by their cosine with it. Passage embeddings are
those of retrieval, so a query costs one forward pass over its prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from resrank.efficiency.work import Asked, Pass, embedded, expected_embeddings, text_tokens
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.embeds_passages import EmbedsPassages
from resrank.model.options import EncoderOptions
from resrank.options import Strict
from resrank.phases import phase
from resrank.records import Ranking, TrainingExample, Usage
from resrank.reranker import Bench, Expected, Request
from resrank.training.options import Queries, Retrieval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from resrank.model.encoder import Encoder


class E2Rank(EmbedsPassages):
    """Cosine of passage embeddings and the embedding of query and candidates together."""

    class Options(Strict):
        """Which encoder, and what its prompt holds."""

        encoder: EncoderOptions = Field(description="A decoder that embeds by its last token.")
        task: str = Field(
            "Given a web search query and some relevant documents, rerank the documents that "
            "answer the query:",
            description="Opens the prompt.",
        )
        prompt_passages: int = Field(20, ge=1, description="Candidates that the prompt holds.")
        words: int = Field(1024, ge=1, description="Their length in the prompt, in words.")
        chat: bool = Field(True, description="Wrap the prompt in the model's chat template.")
        batch_prompts: int = Field(4, ge=1, description="Prompts in one forward pass.")

    class Training(Queries, Retrieval):
        """InfoNCE on the query alone and RankNet on the listwise prompt (section 3.2)."""

        batch_queries: int = Field(16, ge=2, description="Queries in one step.")
        list_length: int = Field(16, ge=2, description="Passages in a training list.")
        negatives: Literal["top", "sampled"] = Field(
            "top", description="'top': a list is the first stage's best; 'sampled': one relevant "
            "passage and candidates drawn at random that are not."
        )  # fmt: skip
        order: Literal["first_stage", "shuffled"] = Field(
            "first_stage", description="Order in which the prompt shows a list."
        )
        temperature: float = Field(0.03, gt=0, description="InfoNCE's temperature.")
        ranking_weight: float = Field(2.0, gt=0, description="Weight of RankNet.")
        ranking_scale: float = Field(10.0, gt=0, description="RankNet's factor on cosines.")
        learning_rate: float = Field(5e-6, gt=0, description="AdamW's peak rate.")
        max_tokens: int | None = Field(
            None, ge=8, description="Cut passages to this many tokens; unset: the encoder's limit."
        )

    def __init__(self, encoder: Encoder, options: Options) -> None:
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.encoder = encoder
        self.options = options
        self.embeddings = PassageEmbeddings(encoder)

    @classmethod
    def load(cls, options: Options, model_dir: Path | None = None) -> Self:
        """Load the encoder, or the one that `train` wrote."""
        from resrank.model.encoder import Encoder

        named = options.encoder
        if model_dir is not None:
            named = named.model_copy(update={"model": str(model_dir), "revision": None})
        return cls(Encoder.from_options(named), options)

    @staticmethod
    def encoder_options(
        options: Options, training: Training | None, model_dir: str | None
    ) -> EncoderOptions:
        """The encoder whose passage embeddings can be stored, trained or not."""
        given = options.encoder
        return given.model_copy(update={"model": model_dir}) if model_dir else given

    @staticmethod
    def passes(options: Options, usage: Usage, candidates: int) -> list[Pass]:
        """Passages and the listwise prompt, embedded."""
        return embedded(options.encoder.model, usage, candidates)

    @staticmethod
    def expected(options: Options, asked: Asked) -> Usage:
        """The usage of a ranking that has not been made."""
        shown = min(options.prompt_passages, asked.candidates)
        numbers = text_tokens(*(f"[{place}] \n" for place in range(1, shown + 1)))
        fixed = text_tokens(options.task, "\nDocuments:\n", "Search Query: ") + numbers
        prompt = fixed + asked.query_tokens + shown * asked.passage_tokens
        passages = expected_embeddings(options.encoder, asked, query=False)
        return passages + Usage(prompt_tokens=prompt, query_encoder_tokens=prompt, model_calls=1)

    def expects(self, candidates: int) -> Expected:
        """The listwise prompt is read once, each passage embedded once."""
        return Expected(
            model_calls=1, generated_tokens=0, embedding_slots=0, encoded_passages=candidates
        )

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries, `batch_prompts` in a forward pass."""
        from resrank.model.passage_embeddings import by_vectors

        ids = [self.prompt_ids(q.text, [c.passage.text for c in listed]) for q, listed in requests]
        size = self.options.batch_prompts
        blocks = (ids[start : start + size] for start in range(0, len(ids), size))
        vectors = (vector for block in blocks for vector in self._read(block))
        return by_vectors(self.embeddings, requests, ids, vectors)

    def _read(self, prompts: Sequence[list[int]]) -> NDArray[np.float32]:
        """The embedding of each listwise prompt, (prompts, width)."""
        with phase("prefill"):
            vectors: NDArray[np.float32] = self.encoder.embed_batch(prompts).numpy()
        return vectors

    def prompt_ids(self, query: str, passages: Sequence[str]) -> list[int]:
        """Token ids of the listwise prompt, which is embedded as a query is."""
        o = self.options
        texts = [" ".join(text.split()[: o.words]) for text in passages[: o.prompt_passages]]
        shown = "\n".join(f"[{place}] {text}" for place, text in enumerate(texts, start=1))
        prompt = f"{o.task}\nDocuments:\n{shown}\nSearch Query: {query}"
        tokenizer = self.encoder.tokenizer
        if o.chat:
            prompt = tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True,
                enable_thinking=False,
            )  # fmt: skip
        ids = list(tokenizer(prompt, add_special_tokens=not o.chat, verbose=False)["input_ids"])
        positions = getattr(self.encoder.model.config, "max_position_embeddings", len(ids))
        if len(ids) > positions:
            raise ValueError(
                f"a prompt of {len(texts)} passages has {len(ids)} tokens, the encoder "
                f"{positions} positions; lower `words` or `prompt_passages`"
            )
        return ids

    @classmethod
    def train(
        cls,
        options: Options,
        training: Training,
        train: Sequence[TrainingExample],
        dev: Sequence[TrainingExample],
        out: Path,
        seed: int,
        bench: Bench,
    ) -> None:
        """Train the encoder with both losses at once and save it under `out`."""
        from baselines.e2rank.training import train_prompts
        from resrank.model.device import set_seeds
        from resrank.model.encoder import Encoder
        from resrank.training.processes import processes

        set_seeds(seed)
        full = options.encoder.model_copy(update={"dtype": "float32"})
        system = cls(Encoder.from_options(full), options)
        counts = train_prompts(system, train, training, seed, bench)
        if not processes().is_main:
            return
        with atomic_folder(out) as folder:
            system.encoder.save_pretrained(folder)
            about = {"seed": seed, "training": training.model_dump(), **counts}
            write_json(folder / "provenance.json", about)
