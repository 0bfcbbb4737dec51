"""A causal language model in this process: batched generation and first-position logits."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessor,
    LogitsProcessorList,
)
from transformers import __version__ as transformers_version

from baselines.llm.backends.scratch import CHAT, scratch_lm
from baselines.llm.backends.target_logits import only_targets
from baselines.llm.interface import CUT, Answer, Keep, Prompt, drop, sampling_seed
from baselines.llm.options import ScratchLM, TransformersOptions
from baselines.llm.prompts.tokens import PromptTokens
from resrank.io.hashing import sha256_file, sha256_lines
from resrank.model.batches import token_budget_batches
from resrank.model.causal_encoder import causal_language_model
from resrank.model.device import number_format, pick_device, pick_dtype, set_seeds
from resrank.model.finite import check_finite
from resrank.model.first_layers import first_layers_of
from resrank.model.hub import locate
from resrank.model.model_files import file_sha256, is_model_file
from resrank.model.options import CausalEncoder
from resrank.model.out_of_memory import in_halves
from resrank.model.padding import pad_ids
from resrank.phases import phase, turn

# These override the model's generation config.
GENERATION: dict[str, Any] = {"top_p": 1.0, "top_k": 0, "num_beams": 1, "repetition_penalty": 1.0}


class TransformersModel(PromptTokens):
    """Generates greedily by default; the model's generation config for sampling is not used."""

    model: Any

    def __init__(self, options: TransformersOptions, seed: int = 0) -> None:
        """Load the model. seed: for random weights, if the options describe a new model."""
        self.options = options
        self.weights: str | None = None
        self.device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, self.device)
        if isinstance(options.model, ScratchLM):
            set_seeds(seed)
            self.model, self.tokenizer = scratch_lm(options.model, dtype)
        elif isinstance(options.model, CausalEncoder):
            set_seeds(seed)
            self.model, self.tokenizer = causal_language_model(options.model, dtype)
            self.tokenizer.chat_template = self.tokenizer.chat_template or CHAT
        else:
            folder = locate(options.model, options.revision)
            if Path(options.model).is_dir():  # the folder may hold other weights tomorrow
                files = sorted(path for path in folder.iterdir() if path.is_file())
                self.weights = sha256_lines(f"{p.name} {sha256_file(p)}" for p in files)
            elif is_model_file(options.model):
                self.weights = file_sha256(options.model)
            part = first_layers_of(folder, options.model, options.layers)
            self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            self.model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, trust_remote_code=False, **part
            )
        self.model.to(self.device).eval()
        self.pad = self.tokenizer.pad_token_id
        if self.pad is None:
            self.pad = self.tokenizer.eos_token_id or 0

    @property
    def dtype(self) -> str:
        """Return the number format of the weights."""
        return number_format(self.model)

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return everything that the model's output depends on: weights, numbers, libraries."""
        o = self.options
        model = o.model if isinstance(o.model, str) else o.model.model_dump()
        return {
            "model": model,
            "revision": o.revision,
            "dtype": self.dtype,
            "context": self.positions,
            "chat_options": o.chat_options,
            "attention": self.model.config._attn_implementation,
            "device": self.device.type,
            "torch": torch.__version__,
            "transformers": transformers_version,
        } | {n: v for n, v in (("weights", self.weights), ("layers", o.layers)) if v}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Return the model's identity and the effective generation parameters."""
        return {
            **self.identity,
            "temperature": self.options.temperature,
            "do_sample": self.options.temperature > 0,
            "seed": self.options.seed,
            "eos_token_ids": sorted(self.ends),
            **GENERATION,
        } | ({"exact_answers": True} if self.options.exact_answers else {})

    @property
    def ends(self) -> set[int]:
        """Return the tokens that end an answer."""
        ends = self.model.generation_config.eos_token_id
        return set(ends if isinstance(ends, list) else [] if ends is None else [ends])

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield answers batch by batch; prompts of similar length share a batch.

        A sampled answer is generated by itself, with its prompt's seed. A resumed run therefore
        gives the same answers as an uninterrupted one.
        """
        ids = self.tokenize(prompts)
        sampled = self.options.temperature > 0
        batches = [[place] for place in range(len(ids))] if sampled else self._batches(ids)
        for places in batches:
            if sampled:
                torch.manual_seed(sampling_seed(prompts[places[0]], self.options.seed))
            start = time.perf_counter()
            complete = partial(self._complete, max_new_tokens=max_new_tokens)
            parts = in_halves(complete, [ids[place] for place in places])
            seconds = (time.perf_counter() - start) / len(places)
            for place, (text, generated, end) in zip(places, chain(*parts), strict=True):
                answer = Answer(text, len(ids[place]), generated, seconds, end)
                keep(place, answer)
                yield place, answer

    @property
    def positions(self) -> int:
        """Return the model's input limit in tokens, prompt and answer together."""
        limit = int(self.model.config.max_position_embeddings)
        return min(limit, self.options.context or limit)

    @torch.inference_mode()
    def first_logits(self, ids: Sequence[list[int]], tokens: Sequence[int]) -> Tensor:
        """Return some tokens' logits at the position after each prompt: (prompts, tokens) float32.

        They are computed in float32 from the model's last states. One forward pass per prompt,
        batched; nothing is generated. ValueError if one is not finite.
        """
        out = torch.empty(len(ids), len(tokens))
        with only_targets(self.model, tokens) as columns:
            for places in self._batches(ids):
                parts = in_halves(self._last_logits, [ids[place] for place in places])
                out[places] = torch.cat(parts)[:, columns].float().cpu()
        check_finite(out, self.options.model, "logits after a prompt")
        return out

    def _last_logits(self, ids: Sequence[list[int]]) -> Tensor:
        """Return the logits after each prompt of a batch, of all tokens that the head computes."""
        inputs, mask = pad_ids(ids, self.pad, self.device, "left")
        with phase("prefill"):
            output = self.model(
                input_ids=inputs,
                attention_mask=mask,
                position_ids=_positions(mask),
                logits_to_keep=1,
                use_cache=False,
            )
        logits: Tensor = output.logits[:, -1]
        return logits

    @torch.inference_mode()
    def _complete(
        self, ids: Sequence[list[int]], max_new_tokens: int
    ) -> list[tuple[str, int, str]]:
        """Return each prompt's answer, the number of its tokens, and why it ended."""
        inputs, mask = pad_ids(ids, self.pad, self.device, "left")
        sampled = self.options.temperature > 0
        more: dict[str, Any] = {"temperature": self.options.temperature} if sampled else {}
        if self.options.exact_answers:
            more["min_new_tokens"] = max_new_tokens
        with phase("prefill"):
            out = self.model.generate(
                input_ids=inputs,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=sampled,
                pad_token_id=self.pad,
                **GENERATION,
                **more,
                logits_processor=LogitsProcessorList([_LogitsWatch(self.options.model)]),
            )
        out = out[:, inputs.shape[1] :]
        return [self._text(row.tolist()) for row in out]

    def _text(self, row: list[int]) -> tuple[str, int, str]:
        """Return the answer up to its end token, its tokens with that one, and why it ended."""
        ends = self.ends
        length = next((i + 1 for i, token in enumerate(row) if token in ends), len(row))
        text = self.tokenizer.decode(row[:length], skip_special_tokens=True).strip()
        return text, length, "stop" if ends.intersection(row[:length]) else CUT

    def _batches(self, ids: Sequence[list[int]]) -> Iterator[list[int]]:
        yield from token_budget_batches([len(row) for row in ids], self.options.batch_tokens)


class _LogitsWatch(LogitsProcessor):  # type: ignore[misc]
    """Ends the phase `prefill` at the first token's logits, and checks those of every token."""

    def __init__(self, model: object) -> None:
        self.model = model
        self.read = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the logits unchanged. ValueError if the highest is not finite."""
        if not self.read:
            turn("decode")
        self.read = True
        check_finite(scores.amax(dim=-1), self.model, "logits of an answer")
        return scores


def _positions(mask: Tensor) -> Tensor:
    return (mask.cumsum(dim=-1) - 1).clamp(min=0)
