"""E2Rank's listwise prompt (arXiv 2510.22733, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from baselines.e2rank.options import E2RankOptions
from resrank.model.encoder import Encoder, positions_of


class ListwisePrompt:
    """Builds the prompt that is embedded in the query's place."""

    def __init__(self, encoder: Encoder, options: E2RankOptions) -> None:
        self.tokenizer = encoder.tokenizer
        self.positions = positions_of(encoder.model)
        self.options = options

    def ids(self, query: str, passages: Sequence[str]) -> list[int]:
        """Return the prompt's token ids.

        Raises ValueError if it has more tokens than the encoder has positions.
        """
        o = self.options
        texts = [" ".join(text.split()[: o.words]) for text in passages[: o.prompt_passages]]
        listed = "\n".join(f"[{place}] {text}" for place, text in enumerate(texts, start=1))
        prompt = f"{o.task}\nDocuments:\n{listed}\nSearch Query: {query}"
        if o.chat:
            prompt = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}],
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
            )
        encoded = self.tokenizer(prompt, add_special_tokens=not o.chat, verbose=False)
        ids = list(encoded["input_ids"])
        if self.positions is not None and len(ids) > self.positions:
            raise ValueError(
                f"a prompt of {len(texts)} passages has {len(ids)} tokens, the encoder "
                f"{self.positions} positions; lower `words` or `prompt_passages`"
            )
        return ids
