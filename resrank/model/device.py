"""Choose the device and the number format of a model."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import torch
from torch import nn

from resrank.model.options import DtypeName


def pick_device(name: str = "auto") -> torch.device:
    """Return a device; 'auto' is the first CUDA device if there is one, else the processor.

    Raises ValueError on a device that torch does not know or does not see here.
    """
    if name != "auto":
        try:
            device = torch.device(name)
        except RuntimeError as error:
            raise ValueError(
                f"device {name!r} is none that torch knows; use 'auto', 'cpu', 'cuda' or 'cuda:0'"
            ) from error
        seen = torch.cuda.device_count() if device.type == "cuda" else 1
        if (device.index or 0) >= seen:
            raise ValueError(
                f"device {name!r} is asked for, but torch {torch.__version__} sees "
                f"{seen or 'no'} CUDA device{'s' * (seen > 1)} here; use 'auto' or 'cpu', or "
                "install a build of torch for this machine's driver"
            )
        return device
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(wanted: bool | None, device: torch.device) -> torch.autocast:
    """Return mixed precision in bfloat16; None means where the hardware supports it."""
    return torch.autocast(device.type, torch.bfloat16, _is_mixed(wanted, device))


def training_format(trained: torch.Tensor, mixed: bool | None) -> str:
    """Return the number formats of a training run for a figure: 'bfloat16, weights float32'.

    trained: one of its weights; mixed: as `autocast` takes it.
    """
    weights = str(trained.dtype).removeprefix("torch.")
    return f"bfloat16, weights {weights}" if _is_mixed(mixed, trained.device) else weights


def _is_mixed(wanted: bool | None, device: torch.device) -> bool:
    return pick_dtype("auto", device) == torch.bfloat16 if wanted is None else wanted


def device_name(device: torch.device) -> str:
    """Return a device's name; 'cpu' for the processor, which manifests name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def pick_dtype(name: DtypeName, device: torch.device) -> torch.dtype:
    """Return a number format; 'auto' is bfloat16 on hardware that supports it, else float32."""
    if name != "auto":
        dtype = getattr(torch, name)  # torch has its number formats as attributes
        assert isinstance(dtype, torch.dtype)
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if _processor_has_bf16() else torch.float32


def number_format(*modules: nn.Module) -> str:
    """Return the number formats of modules' weights for a table: 'float32 + bfloat16'."""
    formats = (next(module.parameters()).dtype for module in modules)
    return " + ".join(str(one).removeprefix("torch.") for one in formats)


def _processor_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def set_seeds(seed: int) -> None:
    """Seed every generator that training draws from, and ask torch for repeatable kernels."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from the global generator
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
