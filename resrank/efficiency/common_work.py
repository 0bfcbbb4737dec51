"""Forward passes and usage estimates that several rerankers share."""

from __future__ import annotations

from resrank.model.options import CausalEncoder, EncoderOptions, TwoModels
from resrank.records import Usage
from resrank.work import ModelRef, Pass, QueryShape, Work, first_layers

CHARACTERS = 4  # per token of English text, for texts that are counted without a tokenizer


def embedded(encoder: ModelRef, usage: Usage, candidates: int) -> list[Pass]:
    """Return the passes that embed the passages, ahead of time, and the query or prompt."""
    query = Work(min(1, usage.query_encoder_tokens), usage.query_encoder_tokens)
    passages = Work(candidates, usage.passage_encoder_tokens)
    return [Pass(encoder, passages, ahead=True), Pass(encoder, query)]


def scored(model: ModelRef, usage: Usage) -> list[Pass]:
    """Return the pass over prompts whose last position scores the vocabulary."""
    calls = usage.model_calls
    return [Pass(model, Work(calls, usage.prompt_tokens, logits=calls))]


def text_tokens(*texts: str) -> int:
    """Return the estimated number of tokens in fixed texts."""
    return sum(-(-len(text) // CHARACTERS) for text in texts)


def decoder_of(options: TwoModels) -> ModelRef:
    """Return the decoder that reads embeddings; a new decoder has the encoder's vocabulary."""
    if isinstance(options.reranker, str):
        return first_layers(options.reranker, options.reranker_layers)
    if isinstance(options.reranker, CausalEncoder):
        return options.reranker.named
    return options.reranker.shape(options.encoder.model)


def estimated_embeddings(
    encoder: EncoderOptions, shape: QueryShape, *, query: bool = True
) -> Usage:
    """Return the usage to embed a query's passages and, with `query`, the query itself."""
    passage = shape.passage_tokens + text_tokens(encoder.passage_instruction)
    query_tokens = shape.query_tokens + text_tokens(encoder.query_instruction)
    query_tokens = min(query_tokens * query, encoder.max_tokens)
    return Usage(
        passage_encoder_tokens=shape.candidates * min(passage, encoder.max_tokens),
        prompt_tokens=query_tokens,
        query_encoder_tokens=query_tokens,
    )


def estimated_pairs(shape: QueryShape, fixed: int, limit: int) -> Usage:
    """Return the usage to read each passage together with the query, as a pair.

    fixed: tokens of the prompt around a pair.
    limit: most tokens per pair.
    """
    pair = min(fixed + shape.query_tokens + shape.passage_tokens, limit)
    return Usage(prompt_tokens=shape.candidates * pair, model_calls=shape.candidates)
