"""PE-Rank's model (Liu et al., WWW 2025, arXiv 2406.14848): passages as tokens of a decoder.

A projector maps each passage's embedding into the decoder's input space. The decoder reads query
and passages and writes the passages' own tokens, best first: each step chooses among those that are
left, by the product of the hidden state and their projected embeddings (section 3.3).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from baselines.pe_rank.options import PERankOptions
from baselines.pe_rank.prompt import SlotPrompt
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.encoder import Encoder
from resrank.model.finite import check_finite
from resrank.model.reranker_lm import RerankerLM
from resrank.phases import phase


class PERankModel(nn.Module):
    """Frozen encoder, projector, decoder."""

    def __init__(self, encoder: Encoder, decoder: RerankerLM, options: PERankOptions) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.options = options
        self.prompt = SlotPrompt(decoder.tokenizer, decoder.positions, options)
        self.projector = nn.Sequential(
            nn.Linear(encoder.width, decoder.width), nn.GELU(),
            nn.Linear(decoder.width, decoder.width),
        ).to(encoder.device)  # fmt: skip
        self._scale_projector()

    @torch.no_grad()
    def _scale_projector(self) -> None:
        """Scale projected passages to the mean length of the decoder's token embeddings.

        A decoder hardly notices passages that are far shorter than tokens: a new one, whose token
        embeddings have unit variance, learned nothing from them.
        """
        last = self.projector[-1]
        probes = torch.eye(self.encoder.width, device=self.encoder.device)  # embeddings of length 1
        factor = self.decoder.token_norm() / self.projector(probes).norm(dim=-1).mean()
        last.weight *= factor
        last.bias *= factor

    @classmethod
    def from_options(cls, options: PERankOptions, decoder: str | None = None) -> PERankModel:
        """Load or create the parts; `decoder`, of a saved model, replaces the options' decoder."""
        encoder = Encoder.from_options(options.encoder)
        saved = {"reranker": decoder, "reranker_revision": None} if decoder else {}
        parts = options.model_copy(update=saved)
        return cls(encoder, RerankerLM.from_options(parts, encoder), options)

    def project(self, embeddings: Tensor) -> Tensor:
        """Return passages (n, encoder width) as decoder tokens (n, decoder width)."""
        weight = self.decoder.model.get_input_embeddings().weight
        tokens: Tensor = self.projector(embeddings.to(weight.device)).to(weight.dtype)
        return tokens

    @torch.inference_mode()
    def decode(self, queries: Sequence[str], blocks: Sequence[Tensor]) -> list[list[int]]:
        """Return each list's indices, best first, from one step per passage for all lists together.

        blocks: (n_i, encoder width) per query, n_i at least 1. Raises ValueError if a list does not
        fit the decoder's positions.
        """
        passages = [self.project(block) for block in blocks]
        prompts = [self._prompt(q, p) for q, p in zip(queries, passages, strict=True)]
        inputs = nn.utils.rnn.pad_sequence(prompts, batch_first=True, padding_side="left")
        lengths = torch.tensor([len(p) for p in prompts], device=inputs.device)
        places = torch.arange(inputs.shape[1], device=inputs.device)
        mask = (places >= inputs.shape[1] - lengths.unsqueeze(1)).long()
        table = nn.utils.rnn.pad_sequence(passages, batch_first=True)
        left = torch.zeros(table.shape[:2], dtype=torch.bool, device=inputs.device)
        for row, block in enumerate(passages):
            left[row, : len(block)] = True
        orders: list[list[int]] = [[] for _ in passages]
        positions, cache = (mask.cumsum(dim=-1) - 1).clamp(min=0), None
        for step in range(table.shape[1]):
            with phase("decode" if step else "prefill"):
                out = self.decoder.model(
                    inputs_embeds=inputs, attention_mask=mask, position_ids=positions,
                    past_key_values=cache, use_cache=True,
                )  # fmt: skip
            cache = out.past_key_values
            logits = torch.einsum("bd,bnd->bn", out.last_hidden_state[:, -1], table).float()
            check_finite(logits[left], self.options.reranker, "logits of passages")
            chosen = logits.masked_fill(~left, -torch.inf).argmax(dim=1)
            for row, place in enumerate(chosen.tolist()):
                if step < len(passages[row]):
                    orders[row].append(place)
            left[torch.arange(len(chosen)), chosen] = False
            inputs = table[torch.arange(len(chosen)), chosen].unsqueeze(1)
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            positions = positions[:, -1:] + 1
        return orders

    def states(
        self, query: str, passages: Tensor, order: Sequence[int], texts: Sequence[str] | None = None
    ) -> Tensor:
        """Return (steps, width) the hidden states that choose the passages of `order`, in turn."""
        prompt = self._prompt(query, passages, texts)
        inputs = torch.cat([prompt, passages[list(order[:-1])]]).unsqueeze(0)
        mask = torch.ones(inputs.shape[:2], dtype=torch.long, device=inputs.device)
        hidden: Tensor = self.decoder(inputs, mask)[0, len(prompt) - 1 :]
        return hidden

    def _prompt(self, query: str, passages: Tensor, texts: Sequence[str] | None = None) -> Tensor:
        """Return (length, width) the prompt's tokens and, in their slots, the passages."""
        around = self.prompt.segments(query, len(passages), texts)
        tokens = self.decoder.embed_tokens([i for ids in around for i in ids]).to(passages.dtype)
        pieces = torch.split(tokens, [len(ids) for ids in around])
        slots = [*torch.split(passages, 1), passages[:0]]
        prompt = torch.cat([p for pair in zip(pieces, slots, strict=True) for p in pair])
        if len(prompt) + len(passages) > self.decoder.positions:
            raise ValueError(
                f"{len(passages)} passages, read and written, and their prompt make "
                f"{len(prompt) + len(passages)} positions; the decoder has "
                f"{self.decoder.positions}; use a smaller window"
            )
        return prompt

    def save_pretrained(self, folder: Path, provenance: dict[str, Any]) -> None:
        """Save decoder, projector and options, and the hash of the encoder's weights."""
        with atomic_folder(folder) as out:
            self.decoder.model.save_pretrained(out / "decoder")
            self.decoder.tokenizer.save_pretrained(out / "decoder")
            weights = {n: p.detach().contiguous() for n, p in self.projector.state_dict().items()}
            save_file(weights, out / "projector.safetensors")
            about = {"encoder": self.encoder.weights_hash(), "provenance": provenance}
            write_json(out / "pe_rank.json", about)

    @classmethod
    def from_pretrained(cls, folder: Path, options: PERankOptions) -> PERankModel:
        """Load what `save_pretrained` wrote; raises ValueError if the encoder has changed."""
        about = json.loads((folder / "pe_rank.json").read_text("utf-8"))
        model = cls.from_options(options, str(folder / "decoder"))
        if model.encoder.weights_hash() != about["encoder"]:
            raise ValueError(
                f"{folder} was trained on embeddings of another encoder than "
                f"{options.encoder.model!r} is here; pin its revision or train again"
            )
        model.projector.load_state_dict(load_file(folder / "projector.safetensors"))
        return model.eval()
