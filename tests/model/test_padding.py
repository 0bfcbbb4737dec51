import torch

from resrank.model.padding import pad_ids


def test_ids_are_padded_on_either_side():
    inputs, mask = pad_ids([[5, 6, 7], [8], []], 9, "cpu")
    assert inputs.tolist() == [[5, 6, 7], [8, 9, 9], [9, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    inputs, mask = pad_ids([[5, 6, 7], [8]], 9, "cpu", "left")
    assert inputs.tolist() == [[5, 6, 7], [9, 9, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    assert inputs.dtype == mask.dtype == torch.int64
