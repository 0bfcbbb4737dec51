"""monoT5: the probability of "true" for one pair (Nogueira et al., Findings of EMNLP 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from baselines.llm.pointwise import Pointwise, fit
from resrank.efficiency.common_work import estimated_pairs, scored, text_tokens
from resrank.model.options import DtypeName
from resrank.records import Usage
from resrank.reranker_options import RerankerOptions
from resrank.work import Pass, QueryShape


class MonoT5Options(RerankerOptions):
    """Which model, and how pairs are read."""

    model: str = Field("castorini/monot5-base-msmarco-10k", description="A folder or hub id.")
    revision: str | None = Field(None, description="Hub commit to pin.")
    true_token: str = Field("▁true", description="Token of a relevant pair.")
    false_token: str = Field("▁false", description="Token of one that is not.")
    max_tokens: int = Field(512, ge=16, description="Longer pairs lose the passage's end.")
    batch_tokens: int = Field(16384, ge=1, description="Padded tokens in one forward pass.")
    dtype: DtypeName = Field("auto", description="Number format.")
    device: str = Field("auto", description="'auto': the first CUDA device, else 'cpu'.")


class MonoT5(Pointwise):
    """`Query: q Document: d Relevant:`; the score is log p(true) against false."""

    Options = MonoT5Options
    model: Any
    tokenizer: Any

    def __init__(self, options: MonoT5Options) -> None:
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        from resrank.model.device import pick_device, pick_dtype
        from resrank.model.hub import locate

        self.options = options
        self.batch_tokens = options.batch_tokens
        device = pick_device(options.device)
        folder = locate(options.model, options.revision)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self.model = AutoModelForSeq2SeqLM.from_pretrained(
            folder, dtype=pick_dtype(options.dtype, device), trust_remote_code=False
        )
        self.model.to(device).eval()
        vocabulary = self.tokenizer.get_vocab()
        tokens = (options.true_token, options.false_token)
        missing = [token for token in tokens if token not in vocabulary]
        if missing:
            raise ValueError(f"{options.model}: its tokenizer has no token {', '.join(missing)}")
        self.targets = [vocabulary[token] for token in tokens]

    @staticmethod
    def passes(options: MonoT5Options, usage: Usage, candidates: int) -> list[Pass]:
        """Return the passes of each pair: the encoder over it, and one decoder position."""
        return scored(options.model, usage)

    @staticmethod
    def estimate_usage(options: MonoT5Options, shape: QueryShape) -> Usage:
        """Return the usage of reading each pair once."""
        fixed = text_tokens("Query: ", " Document:", "Relevant:") + 1
        return estimated_pairs(shape, fixed, options.max_tokens)

    @property
    def dtype(self) -> str:
        """Return the number format of the weights."""
        from resrank.model.device import number_format

        return number_format(self.model)

    def pair_ids(self, query: str, passage: str) -> tuple[list[int], bool]:
        """Return the token ids of a pair, and whether its passage was cut."""

        def ids(text: str) -> list[int]:
            return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

        suffix = [*ids("Relevant:"), self.tokenizer.eos_token_id]
        return fit(ids(f"Query: {query} Document:"), ids(passage), suffix, self.options.max_tokens)

    def score_batch(self, ids: Sequence[list[int]]) -> list[float]:
        """Return log p(true) over true and false, per pair."""
        import torch

        from baselines.llm.backends.target_logits import only_targets
        from resrank.model.padding import pad_ids

        device = self.model.device
        inputs, mask = pad_ids(ids, self.tokenizer.pad_token_id, device)
        start = torch.full((len(ids), 1), self.model.config.decoder_start_token_id, device=device)
        with torch.inference_mode(), only_targets(self.model, self.targets) as columns:
            logits = self.model(
                input_ids=inputs, attention_mask=mask, decoder_input_ids=start
            ).logits[:, 0, columns]  # fmt: skip
        return [float(x) for x in logits.float().log_softmax(dim=-1)[:, 0].tolist()]
