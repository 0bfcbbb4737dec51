"""ResRank: residual passage compression (Ke et al., arXiv 2604.22180; facts in docs/papers.md).

Each passage becomes one embedding. A causal decoder reads the query's tokens and all embeddings in
one forward pass and generates no token. `network` computes the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from resrank.io.atomic import atomic_folder, write_text
from resrank.io.manifest import files_below, output_hashes, write_checked_json
from resrank.model.encoder import Encoder
from resrank.model.hub import locate
from resrank.model.model_card import model_card
from resrank.model.network import Lists, ResRankNetwork
from resrank.model.options import INSTRUCTION, DtypeName, ResRankOptions, ScratchDecoder, told
from resrank.model.reranker_lm import RerankerLM
from resrank.model.saved import check_scoring, instructed, read_about, read_tensors
from resrank.windows import slide

FORMAT = 2  # version of saved models; format 1 is read too


class ResRank(ResRankNetwork):
    """ResRank for texts: compress passages, score and rerank them, save and load the model."""

    @classmethod
    def from_options(
        cls,
        options: ResRankOptions,
        encoder_dtype: DtypeName | None = None,
        reranker_dtype: DtypeName | None = None,
    ) -> ResRank:
        """Load or make both models, as the options state.

        encoder_dtype, reranker_dtype: replace the options' formats. Training needs float32: a
        step of a low learning rate is lost in bfloat16's rounding.
        """
        encoder = Encoder.from_options(_with_dtype(options.encoder, "dtype", encoder_dtype))
        loaded = _with_dtype(options, "reranker_dtype", reranker_dtype)
        return cls(encoder, RerankerLM.from_options(loaded, encoder), options)

    def query_tokens(self, query: str, instruction: str = "") -> tuple[list[int], bool]:
        """Return a query's prompt token ids, instruction first, and whether it was truncated.

        instruction: of the query's collection, where the options leave `{instruction}` open.
        """
        text = self._token_ids(query)
        limit = self.options.max_query_tokens
        return [*self._opening(instruction), *text[:limit]], len(text) > limit

    def _opening(self, instruction: str) -> list[int]:
        """Return the token ids before a query."""
        if INSTRUCTION not in self.options.instruction:
            return self._opening_ids
        return self._token_ids(told(self.options.instruction, instruction))

    @property
    def closing_tokens(self) -> int:
        """Return the number of text tokens behind the passages.

        With `query_slot`, the query's embedding replaces the closing token.
        """
        return len(self._closing_ids) + (not self.options.query_slot)

    def compress(self, passages: Sequence[str]) -> Tensor:
        """Return one embedding per passage: (n, d) float32. Raises TypeError."""
        if isinstance(passages, str) or not all(isinstance(text, str) for text in passages):
            raise TypeError(f"passages: a list of texts is needed, {passages!r:.80} was given")
        return self.encoder.embed(passages)

    def embed_query(self, query: str) -> Tensor:
        """Return the encoder's embedding of a query, for retrieval: (d,) float32."""
        return self.encoder.embed([query], query=True)[0]

    @torch.inference_mode()
    def score(self, query: str, embeddings: Tensor) -> Tensor:
        """Return the scores (n,) in [-1, 1] of compressed passages (n, d).

        Raises ValueError on embeddings of another shape or type, or with non-finite numbers.
        """
        if not isinstance(query, str):
            raise TypeError(f"query: a text is needed, {query!r:.80} was given")
        self._check_embeddings(embeddings)
        slot = self.embed_query(query).unsqueeze(0) if self.options.query_slot else None
        lists = Lists([self.query_tokens(query)[0]], slot, [embeddings])
        scores: list[Tensor] = self(lists)
        return scores[0]

    def _check_embeddings(self, embeddings: Tensor) -> None:
        given = tuple(embeddings.shape) if isinstance(embeddings, Tensor | np.ndarray) else ()
        wanted = (
            f"embeddings: a float tensor (n, {self.encoder.width}) as `compress` gives is needed "
            "(texts themselves go to `rerank`)"
        )
        if not isinstance(embeddings, Tensor) or not embeddings.is_floating_point():
            raise ValueError(f"{wanted}, {type(embeddings).__name__} {given} was given")
        if len(given) != 2 or given[1] != self.encoder.width:
            raise ValueError(f"{wanted}, shape {given} was given")
        if not embeddings.isfinite().all():
            raise ValueError(f"{wanted}; some numbers of these are not finite")

    def rerank(self, query: str, passages: Sequence[str]) -> list[tuple[int, float]]:
        """Return (place in `passages`, score) pairs, best first.

        With `window`, windows slide over the passages, and a passage keeps the score of its last
        window, so that scores need not fall from rank to rank.
        """
        if not passages:
            return []
        embeddings = self.compress(passages)
        scores = torch.empty(len(passages))

        def order(pieces: Sequence[Sequence[int]]) -> list[list[int]]:
            places = list(pieces[0])
            window_scores = self.score(query, embeddings[places])
            scores[places] = window_scores
            return [torch.argsort(-window_scores, stable=True).tolist()]

        window = self.options.window
        places = [*range(len(passages))]
        if window is None or len(passages) == 1:
            ordered = [places[i] for i in order([places])[0]]
        else:
            (ordered,) = slide([places], window, order)
        return [(place, float(scores[place])) for place in ordered]

    def save_pretrained(
        self, folder: Path | str, *, encoder_trained: bool = True, **provenance: Any
    ) -> None:
        """Write the model: weights as safetensors, options, tokenizer, provenance.

        encoder_trained: False names the encoder by its weights' hash instead of copying it;
        provenance: JSON values that the model card shows.
        """
        with atomic_folder(Path(folder)) as out:
            self.reranker.model.save_pretrained(out / "reranker")
            self.reranker.tokenizer.save_pretrained(out / "reranker")
            if encoder_trained:
                self.encoder.save_pretrained(out / "encoder")
            extra = {"log_scale": self.log_scale.detach()}
            if self.place_scale is not None:
                extra["place_scale"] = self.place_scale.detach()
            if self.projector is not None:
                extra["projector"] = self.projector.weight.detach()
            save_file(extra, out / "extra.safetensors")
            about = {
                "format": FORMAT,
                "options": self.options.model_dump(mode="json"),
                "encoder": "encoder" if encoder_trained else self.encoder.weights_hash(),
                "token_norm": self.token_norm,
                "provenance": provenance,
                "outputs": output_hashes(files_below(out), out),
            }
            write_checked_json(out / "resrank.json", about)
            write_text(out / "README.md", model_card(about))

    @classmethod
    def from_pretrained(
        cls,
        name: Path | str,
        revision: str | None = None,
        options: ResRankOptions | None = None,
        instruction: str | None = None,
    ) -> ResRank:
        """Load a saved model from a folder, or from the hub at a pinned revision.

        options: replace the saved ones, for other batches or number formats. instruction: replaces
        that of the collection that it was trained on, in the saved options. Raises ValueError if
        they score otherwise than in training, or if the folder holds another kind of model or a
        damaged one, ModelNotFound if there is none. A model of format 1 scores as it did.
        """
        folder = locate(str(name), revision)
        about = read_about(folder, FORMAT)
        saved = ResRankOptions.model_validate(about["options"])
        options = options or instructed(saved, about["provenance"], instruction)
        check_scoring(folder, saved, options)
        place: dict[str, Any] = {}
        if about["encoder"] == "encoder":
            place = {"model": str(folder / "encoder"), "revision": None}
        encoder = Encoder.from_options(saved.encoder.model_copy(update=place))
        if not place and encoder.weights_hash() != about["encoder"]:
            raise ValueError(
                f"{folder} was trained on top of another version of {saved.encoder.model!r}: its "
                "weights differ from those found here; pin its revision or train again"
            )
        if options.encoder != saved.encoder:  # another instruction, batch or number format
            encoder = Encoder.from_options(options.encoder.model_copy(update=place))
        parts = options.model_copy(update={"reranker": str(folder / "reranker")})
        model = cls(encoder, RerankerLM.from_options(parts, encoder), options)
        model._load_extra(read_tensors(folder / "extra.safetensors"), about["token_norm"])
        return model.eval()

    def _load_extra(self, extra: dict[str, Tensor], token_norm: float) -> None:
        self.token_norm = token_norm  # as in training, though token embeddings may have moved
        with torch.no_grad():
            self.log_scale.copy_(extra["log_scale"])
            if self.place_scale is not None:
                self.place_scale.copy_(extra["place_scale"])
            if self.projector is not None:
                self.projector.weight.copy_(extra["projector"])


def _with_dtype(options: Any, name: str, dtype: DtypeName | None) -> Any:
    return options if dtype is None else options.model_copy(update={name: dtype})


__all__ = ["Lists", "ResRank", "ResRankOptions", "ScratchDecoder"]
