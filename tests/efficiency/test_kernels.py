"""Every system is timed with torch's default kernels, whatever its loading turned on."""

import torch

from resrank.efficiency.kernels import default_kernels
from resrank.model.device import set_seeds


def test_a_measurement_has_default_kernels_whatever_loading_turned_on():
    before = torch.are_deterministic_algorithms_enabled()
    try:
        set_seeds(0)
        with default_kernels():
            assert not torch.are_deterministic_algorithms_enabled()
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        torch.use_deterministic_algorithms(False)
        with default_kernels():
            assert not torch.are_deterministic_algorithms_enabled()
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(before, warn_only=True)
