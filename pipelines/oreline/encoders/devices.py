"""On which devices of this machine an encoder computes."""

import os

from oreline.encoders.precision import cuda_devices, on_gpu
from oreline.recipe.settings import Encoder

_GPU_BLOCK = 131_072
_CPU_BLOCK = 2_048


def devices_of(settings: Encoder) -> list[str]:
    """Returns the devices, one per copy of the model: those that are named, else every GPU, else the CPU."""
    if isinstance(settings.device, list):
        return settings.device
    if not on_gpu(settings):
        return ["cpu" if settings.device == "auto" else settings.device]
    if ":" in settings.device:
        return [settings.device]
    # None is found only if `cuda` is asked for where there is none: then torch says what is missing.
    return [f"cuda:{number}" for number in range(max(1, cuda_devices()))]


def first_device(settings: Encoder) -> str:
    """Returns one device, for what runs on a single one."""
    return devices_of(settings)[0]


def threads_of(settings: Encoder, workers: int) -> int:
    """Returns the CPU threads of one worker: the recipe's, else all cores divided by the workers, at least 1."""
    if settings.threads is not None:
        return settings.threads
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, cores // workers)


def block_texts(settings: Encoder) -> int:
    """Returns how many texts a prepared block should hold, so that its start and end cost little: at least 64 batches.

    It depends on the kind of device, not on their number: what a batch holds may not depend on who computes it. A GPU
    takes 65,536 tokens at once, 450 texts of 146 tokens; a CPU 1,024 to 4,096.
    """
    return _GPU_BLOCK if on_gpu(settings) else _CPU_BLOCK
