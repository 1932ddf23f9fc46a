"""The fused kernels compiled ahead of time for a GPU that need not be there: Triton brings an assembler along."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import triton
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import get_ptxas
from triton.compiler import ASTSource

from oreline.search.fused import kernels
from oreline.search.fused.launch import TARGETS_AT_ONCE, capability_config


@dataclass(frozen=True)
class Compiled:
    """What a kernel became: instructions (PTX), and what a thread (registers, spills) and a program (shared) take."""

    ptx: str
    registers: int
    spilled_bytes: int
    shared_bytes: int

    def has(self, text: str) -> bool:
        return text in self.ptx


def compiled_bins(capability: int, folder: Path) -> Compiled:
    """Compiles the product with all outputs that one pass can have."""
    config = capability_config(capability // 10)
    pointers = dict.fromkeys(("best", "second", "best_below", "second_below", "limits", "low", "high"), "*fp32")
    pointers |= dict.fromkeys(("first_target", "n_targets", "counts"), "*i32")
    sides = {"queries": "*fp16", "documents": "*fp16"}
    if config.described:
        sides = {
            "queries": f"tensordesc<fp16[{config.queries}, {config.step}]>",
            "documents": f"tensordesc<fp16[{config.documents}, {config.step}]>",
        }
    fixed = {
        "M": config.queries,
        "N": config.documents,
        "K": config.step,
        "LEVELS": (config.documents // 8).bit_length() - 1,
        "PROGRAMS": 132,
        "ALL": True,
        "BELOW": True,
        "TARGETS": TARGETS_AT_ONCE if capability >= 90 else 1,
        "DESCRIBED": config.described,
    }
    aligned = [*pointers, "pitch", *(() if config.described else sides)]
    options = {"num_warps": config.warps, "num_stages": config.stages, "enable_fp_fusion": True}
    return _compiled(kernels.bins_kernel, sides | pointers, fixed, aligned, options, capability, folder)


def compiled_pairs(capability: int, folder: Path) -> Compiled:
    """Compiles the exact scores of pairs."""
    pointers = {"queries": "*fp16", "documents": "*fp16", "rows": "*i64", "slots": "*i64", "scores": "*fp64"}
    fixed = {"P": capability_config(capability // 10).pairs, "K": 128}
    options = {"num_warps": 4, "enable_fp_fusion": True}
    return _compiled(kernels.pairs_kernel, pointers, fixed, [*pointers, "pitch"], options, capability, folder)


def _compiled(  # noqa: PLR0917 - what Triton asks for
    kernel: triton.JITFunction,
    types: dict[str, str],
    fixed: dict[str, int],
    aligned: list[str],
    options: dict[str, int],
    capability: int,
    folder: Path,
) -> Compiled:
    signature = {name: types.get(name, "constexpr" if name in fixed else "i32") for name in kernel.arg_names}
    attributes = {(kernel.arg_names.index(name),): [["tt.divisibility", 16]] for name in aligned}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_CACHE_DIR", str(folder))
        source = ASTSource(kernel, signature, fixed, attributes)
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    ptx = str(compiled.asm["ptx"])
    (folder / "kernel.ptx").write_text(ptx, encoding="utf-8")
    suffix = "a" if capability >= 90 else ""
    command = [get_ptxas(capability).path, "-v", f"-arch=sm_{capability}{suffix}", "-o", str(folder / "kernel.cubin")]
    report = subprocess.run([*command, str(folder / "kernel.ptx")], capture_output=True, text=True, check=True).stderr
    registers, spilled = re.search(r"Used (\d+) registers", report), re.search(r"(\d+) bytes spill stores", report)
    assert registers is not None, report
    assert spilled is not None, report
    return Compiled(ptx, int(registers[1]), int(spilled[1]), int(compiled.metadata.shared))
