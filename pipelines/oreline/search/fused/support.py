"""Whether the fused kernels can run."""

from importlib.util import find_spec

import torch

LEAST_CAPABILITY = (8, 0)
"""Ampere: the first generation with asynchronous copies into shared memory."""


def unsupported(device: str) -> str | None:
    """Returns why the fused kernels cannot run on a device (a phrase), None if they can."""
    if torch.device(device).type != "cuda":
        return f"{device} is no GPU"
    if torch.version.cuda is None:
        return "torch is not built for NVIDIA's GPUs"
    capability = torch.cuda.get_device_capability(torch.device(device))
    if capability < LEAST_CAPABILITY:
        return f"the GPU's compute capability {capability[0]}.{capability[1]} is below {LEAST_CAPABILITY[0]}.0"
    if find_spec("triton") is None:
        return "Triton is not installed"
    if find_spec("triton.tools.tensor_descriptor") is None:
        return "Triton is older than 3.4; a newer torch brings a newer one"
    return None
