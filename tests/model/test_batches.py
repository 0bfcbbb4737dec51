from hypothesis import given
from hypothesis import strategies as st

from resrank.model.batches import token_budget_batches


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 120))
def test_every_text_once_within_the_budget(lengths, budget):
    batches = list(token_budget_batches(lengths, budget))
    assert sorted(i for b in batches for i in b) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget
