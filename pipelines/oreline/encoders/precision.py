"""In which number format an encoder computes on this machine; found without importing torch."""

import ctypes
import importlib.util
import os
from functools import cache
from typing import Literal

from oreline.ids import Json
from oreline.recipe.settings import Encoder

Precision = Literal["float32", "bfloat16", "float16"]


def precision_of(settings: Encoder) -> Precision:
    """Returns the precision that `auto` means here: bfloat16 on a GPU or a CPU that computes it natively.

    On a CPU with AMX, bfloat16 gave 3 to 4 times float32's rate on MiniLM, at a cosine of at least 0.9999 to it.
    """
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if on_gpu(settings) or cpu_has_bfloat16() else "float32"


def compiled(settings: Encoder) -> bool:
    """Says whether the model's layers are compiled: where it is set, else on a GPU."""
    return on_gpu(settings) if settings.compile == "auto" else settings.compile == "on"


def packed(settings: Encoder) -> bool:
    """Says whether texts are to stand one behind the other without padding: where it is set, else on a GPU.

    Batches hold texts of nearly one length, and on a CPU many small attentions cost more than their padding.
    """
    return on_gpu(settings) if settings.attention == "auto" else settings.attention == "packed"


def arithmetic(settings: Encoder) -> dict[str, Json]:
    """Returns what can change a vector's digits beside the model's files, for the encoder's identity.

    What is not there is as sentence-transformers computes. The same arithmetic in another order (another device, other
    threads) is left out.
    """
    found: dict[str, Json] = {"precision": precision_of(settings)}
    if packed(settings):
        found["attention"] = "packed"
    if compiled(settings):
        found["compiled"] = True
    return found


def on_gpu(settings: Encoder) -> bool:
    """Says whether the encoder runs on a CUDA device: `device` names one, or is `auto` and torch can use one."""
    if settings.device != "auto":
        first = settings.device if isinstance(settings.device, str) else settings.device[0]
        return first.startswith("cuda")
    return torch_has_cuda() and cuda_devices() > 0


@cache
def torch_has_cuda() -> bool:
    """Says whether the installed torch was built with CUDA, by the version file that it writes at its build."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    with open(os.path.join(os.path.dirname(spec.origin), "version.py"), encoding="utf-8") as file:
        lines = [line for line in file if line.startswith("cuda")]
    return bool(lines) and not lines[0].rstrip().endswith("None")


@cache
def cuda_devices() -> int:
    """Returns how many CUDA devices this process may use, asked of the driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


@cache
def cpu_has_bfloat16() -> bool:
    """Says whether the CPU multiplies matrices of bfloat16 in hardware (AMX)."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except FileNotFoundError:
        return False
    return "amx_bf16" in flags
