"""The README of a saved model: its kind, its training, how to load it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from resrank.io.environment import environment

CARD = """---
library_name: resrank
pipeline_tag: text-ranking
tags: [resrank, reranking, passage-compression]
---
# ResRank
A reranker that reads one embedding per passage: an encoder compresses each passage, a causal
decoder reads the query and the embeddings at once, and the score is the cosine of a passage's state
(its embedding added back) and the closing state. After Ke et al., arXiv 2604.22180; made with
resrank, not by the paper's authors.

```python
from resrank import ResRank

model = ResRank.from_pretrained("this folder")
model.rerank("a query", ["a passage", "another passage"])  # (place, score), best first
```

## Options
```json
{options}
```

## How it was trained
```json
{provenance}
```

## Versions
```json
{versions}
```
"""


def model_card(about: Mapping[str, Any]) -> str:
    """Return the card of a model, from the content of its `resrank.json`."""
    return CARD.format(
        options=json.dumps(about["options"], indent=1),
        provenance=json.dumps(about["provenance"], indent=1, default=str),
        versions=json.dumps(environment()["packages"], indent=1),
    )
