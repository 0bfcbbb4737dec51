"""E2Rank: a listwise prompt as an enriched query (arXiv 2510.22733, section 3).

One embedding model retrieves and reranks: the prompt holds the query and the first candidates, its
embedding is the query's, and passages are ranked by their cosine with it. Passage embeddings are
those of retrieval, so a query costs one forward pass over its prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field

from resrank.model.options import EncoderOptions
from resrank.records import Candidate, Ranking
from resrank.reranker import EmbedsPassages, Request
from resrank.strict import Strict

if TYPE_CHECKING:
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

    def __init__(self, encoder: Encoder, options: Options) -> None:
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.encoder = encoder
        self.options = options
        self.embeddings = PassageEmbeddings(encoder)

    @classmethod
    def load(cls, options: Options, model_dir: Path | None = None) -> Self:
        """Load the encoder."""
        from resrank.model.encoder import Encoder

        return cls(Encoder.from_options(options.encoder), options)

    @staticmethod
    def encoder_options(options: Options, training: None, model_dir: str | None) -> EncoderOptions:
        """The encoder whose passage embeddings can be stored."""
        return options.encoder

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries, `batch_prompts` in a forward pass."""
        from resrank.model.passage_embeddings import by_vectors

        ids = [self.prompt_ids(query.text, candidates) for query, candidates in requests]
        size = self.options.batch_prompts
        blocks = (ids[start : start + size] for start in range(0, len(ids), size))
        vectors = (vector for block in blocks for vector in self.encoder.embed_batch(block).numpy())
        return by_vectors(self.embeddings, requests, ids, vectors)

    def prompt_ids(self, query: str, candidates: Sequence[Candidate]) -> list[int]:
        """Token ids of the listwise prompt, which is embedded at its last token."""
        o = self.options
        texts = [
            " ".join(c.passage.text.split()[: o.words]) for c in candidates[: o.prompt_passages]
        ]
        shown = "\n".join(f"[{place}] {text}" for place, text in enumerate(texts, start=1))
        prompt = f"{o.task}\nDocuments:\n{shown}\nSearch Query: {query}"
        tokenizer = self.encoder.tokenizer
        if o.chat:
            prompt = tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True,
                enable_thinking=False,
            )  # fmt: skip
        ids = list(tokenizer(prompt, add_special_tokens=not o.chat)["input_ids"])
        positions = getattr(self.encoder.model.config, "max_position_embeddings", len(ids))
        if len(ids) > positions:
            raise ValueError(
                f"a prompt of {len(texts)} passages has {len(ids)} tokens, the encoder "
                f"{positions} positions; lower `words` or `prompt_passages`"
            )
        return ids
