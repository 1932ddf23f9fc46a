"""On what machine a benchmark ran."""

import os
import platform
from pathlib import Path

import torch


def machine(device: str, precision: str) -> str:
    """Returns a sentence on the machine, its GPU if `device` is one, the number format and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = next((line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")), "CPU")
    gpu = f", {torch.cuda.get_device_name(device)}" if device != "cpu" else ""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {name}, {memory:.0f} GiB{gpu}, "
        f"{precision}; Python {platform.python_version()}, torch {torch.__version__}."
    )


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
