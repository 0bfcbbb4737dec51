"""A causal language model in this process: batched generation and first-position logits."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessor,
    LogitsProcessorList,
)
from transformers import __version__ as transformers_version

from baselines.llm.model import Answer, Keep, ScratchLM, TransformersOptions, drop
from baselines.llm.prompt import Message, Prompt, sampling_seed
from baselines.llm.scratch import scratch_lm
from resrank.files import sha256_file, sha256_lines
from resrank.model.batches import token_budget_batches
from resrank.model.device import number_format, pick_device, pick_dtype, set_seeds
from resrank.model.hub import locate
from resrank.phases import phase, turn

# What the model's own generation config may say otherwise, and must not.
GENERATION: dict[str, Any] = {"top_p": 1.0, "top_k": 0, "num_beams": 1, "repetition_penalty": 1.0}


class TransformersModel:
    """Greedy by default; what the model's own generation config says of sampling is not used."""

    model: Any
    tokenizer: Any

    def __init__(self, options: TransformersOptions, seed: int = 0) -> None:
        """seed: of the random weights, where the options describe a model made here."""
        self.options = options
        self.weights: str | None = None
        self.device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, self.device)
        if isinstance(options.model, ScratchLM):
            set_seeds(seed)
            self.model, self.tokenizer = scratch_lm(options.model, dtype)
        else:
            folder = locate(options.model, options.revision)
            if Path(options.model).is_dir():  # a name that other weights may have tomorrow
                files = sorted(path for path in folder.iterdir() if path.is_file())
                self.weights = sha256_lines(f"{p.name} {sha256_file(p)}" for p in files)
            self.tokenizer = AutoTokenizer.from_pretrained(folder)
            self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        self.model.to(self.device).eval()
        self.pad = self.tokenizer.pad_token_id
        if self.pad is None:
            self.pad = self.tokenizer.eos_token_id or 0

    @property
    def dtype(self) -> str:
        """Number format of the weights."""
        return number_format(self.model)

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the model computes depends on: weights, numbers, libraries."""
        o = self.options
        model = o.model if isinstance(o.model, str) else o.model.model_dump()
        return {
            "model": model, "revision": o.revision, "dtype": self.dtype, "context": self.positions,
            "chat_options": o.chat_options, "attention": self.model.config._attn_implementation,
            "device": self.device.type, "torch": torch.__version__,
            "transformers": transformers_version,
        } | ({"weights": self.weights} if self.weights else {})  # fmt: skip

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Model and effective generation parameters."""
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
        """Tokens that end an answer."""
        ends = self.model.generation_config.eos_token_id
        return set(ends if isinstance(ends, list) else [] if ends is None else [ends])

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield answers batch by batch, prompts of like length together.

        A sampled answer is made by itself, from its prompt's own seed: so a run that was killed
        goes on to the answers that it would have had.
        """
        ids = self.tokenize(prompts)
        sampled = self.options.temperature > 0
        batches = [[place] for place in range(len(ids))] if sampled else self._batches(ids)
        for places in batches:
            if sampled:
                torch.manual_seed(sampling_seed(prompts[places[0]], self.options.seed))
            start = time.perf_counter()
            texts = self._complete([ids[place] for place in places], max_new_tokens)
            seconds = (time.perf_counter() - start) / len(places)
            for place, (text, generated) in zip(places, texts, strict=True):
                answer = Answer(text, len(ids[place]), generated, seconds)
                keep(place, answer)
                yield place, answer

    @property
    def positions(self) -> int:
        """Tokens that the model reads at most, prompt and answer together."""
        limit = int(self.model.config.max_position_embeddings)
        return min(limit, self.options.context or limit)

    def count(self, prompt: Prompt) -> int:
        """Tokens of a prompt."""
        return len(self._ids(prompt, ""))

    def tokenize(self, prompts: Sequence[Prompt], opening: str = "") -> list[list[int]]:
        """Token ids as the model's chat template makes them, or of the text as it stands.

        opening: how the answer begins, tokenised together with the prompt.
        """
        return [self._ids(prompt, opening) for prompt in prompts]

    def token_behind(self, before: str, text: str) -> int:
        """The one token of `text` as it stands behind `before`; ValueError if it is not one.

        By itself a text may get another token than within a line (Llama's has a space in front).
        """
        head = self.tokenizer(before, add_special_tokens=False)["input_ids"]
        whole = self.tokenizer(before + text, add_special_tokens=False)["input_ids"]
        if whole[:-1] != head:
            raise ValueError(
                f"{self.options.model}: its tokenizer makes no token of its own of {text!r} behind "
                f"{before!r}; a model that is scored by one token needs one"
            )
        return int(whole[-1])

    @torch.inference_mode()
    def first_logits(self, ids: Sequence[list[int]], tokens: Sequence[int]) -> Tensor:
        """Logits of some tokens at the position behind each prompt: (prompts, tokens) float32.

        One forward pass a prompt, batched; nothing is generated.
        """
        out = torch.empty(len(ids), len(tokens))
        for places in self._batches(ids):
            inputs, mask = self._pad([ids[place] for place in places])
            with phase("prefill"):
                logits = self.model(
                    input_ids=inputs, attention_mask=mask, position_ids=_positions(mask),
                    logits_to_keep=1, use_cache=False,
                ).logits[:, -1]  # fmt: skip
            out[places] = logits[:, list(tokens)].float().cpu()
        return out

    @torch.inference_mode()
    def _complete(self, ids: Sequence[list[int]], max_new_tokens: int) -> list[tuple[str, int]]:
        """(answer, its tokens) of each prompt."""
        inputs, mask = self._pad(ids)
        sampled = self.options.temperature > 0
        more: dict[str, Any] = {"temperature": self.options.temperature} if sampled else {}
        if self.options.exact_answers:
            more["min_new_tokens"] = max_new_tokens
        with phase("prefill"):
            out = self.model.generate(
                input_ids=inputs, attention_mask=mask, max_new_tokens=max_new_tokens,
                do_sample=sampled, pad_token_id=self.pad, **GENERATION, **more,
                logits_processor=LogitsProcessorList([_FirstLogits()]),
            )[:, inputs.shape[1] :]  # fmt: skip
        return [self._text(row.tolist()) for row in out]

    def _text(self, row: list[int]) -> tuple[str, int]:
        """The answer up to its end token, and how many tokens were generated, that one too."""
        ends = self.ends
        length = next((i + 1 for i, token in enumerate(row) if token in ends), len(row))
        return self.tokenizer.decode(row[:length], skip_special_tokens=True).strip(), length

    def _ids(self, prompt: Prompt, opening: str) -> list[int]:
        if prompt[0].role == "text":
            return self.with_offsets(prompt[0].content + opening)[0]
        return self.with_offsets(self.chat_text(prompt) + opening)[0]

    def chat_text(self, prompt: Prompt) -> str:
        """A prompt as the model's chat template writes it.

        Where the template refuses a system turn (Mistral's, Gemma's), that turn's text opens the
        first user turn. ValueError if there is no template, or it refuses the prompt for another
        reason.
        """
        if not self.tokenizer.chat_template:
            raise ValueError(
                f"{self.options.model} has no chat template; use a prompt of role `text`, such as "
                "rankvicuna"
            )
        try:
            try:
                return self._templated(prompt)
            except TemplateError:
                if prompt[0].role != "system":
                    raise
                return self._templated(without_system(prompt))
        except TemplateError as error:
            roles = ", ".join(message.role for message in prompt)
            raise ValueError(
                f"{self.options.model}: its chat template refuses turns of {roles}: {error}"
            ) from error

    def _templated(self, prompt: Prompt) -> str:
        text: str = self.tokenizer.apply_chat_template(
            [message._asdict() for message in prompt], add_generation_prompt=True, tokenize=False,
            **self.options.chat_options,
        )  # fmt: skip
        return text

    def with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a chat text, and the (start, end) in it that each stands for."""
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = list(found["input_ids"]), list(found["offset_mapping"])
        first = self.tokenizer("")["input_ids"][:1]  # a start token that the template may lack
        if first and first[0] == self.tokenizer.bos_token_id and ids[:1] != first:
            return [*first, *ids], [(0, 0), *offsets]
        return ids, offsets

    def _batches(self, ids: Sequence[list[int]]) -> Iterator[list[int]]:
        yield from token_budget_batches([len(row) for row in ids], self.options.batch_tokens)

    def _pad(self, ids: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Left-padded ids and their mask, (prompts, longest) each."""
        longest = max(map(len, ids))
        inputs = torch.tensor([[self.pad] * (longest - len(row)) + row for row in ids])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids])
        return inputs.to(self.device), mask.to(self.device)


class _FirstLogits(LogitsProcessor):  # type: ignore[misc]
    """Says that the prompt is read once `generate` has the first token's logits."""

    def __init__(self) -> None:
        self.read = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The same logits."""
        if not self.read:
            turn("decode")
        self.read = True
        return scores


def without_system(prompt: Prompt) -> Prompt:
    """The same with the system turn's text in front of the first user turn's."""
    system, first, *rest = prompt
    return (Message("user", f"{system.content}\n{first.content}"), *rest)


def _positions(mask: Tensor) -> Tensor:
    return (mask.cumsum(dim=-1) - 1).clamp(min=0)
