"""The fused GPU search: its cases under Triton's interpreter, and its kernels compiled for real GPUs without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton", reason="Triton comes for Linux alone")

from fused_compiled import Compiled, compiled_bins, compiled_pairs
from oreline.search.chunked import Chunked
from oreline.search.passes import first_pass, path_of

_HERE = Path(__file__).parent


def assert_checks_pass(**variables: str) -> None:
    """Runs the cases in a process of its own: Triton reads at its import whether it interprets."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(_HERE / "fused_checks.py")]
    done = subprocess.run(
        command, env=os.environ | variables, cwd=_HERE.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]


def test_the_fused_search_equals_plain_float64_under_the_interpreter() -> None:
    assert_checks_pass(TRITON_INTERPRET="1", CUDA_VISIBLE_DEVICES="")


@pytest.mark.gpu
def test_the_fused_search_equals_plain_float64_on_the_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert_checks_pass(TRITON_INTERPRET="0")


def test_a_manifest_says_how_was_searched_and_why_not_by_fused_kernels() -> None:
    assert path_of("cpu").startswith("cpu, scans of ")
    if torch.version.cuda is None:
        assert path_of("cuda") == "cuda, chunks of scores: torch is not built for NVIDIA's GPUs"
        assert isinstance(first_pass("cuda"), Chunked)


@pytest.fixture(scope="module")
def hopper(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled_bins(90, tmp_path_factory.mktemp("triton"))


def test_on_hopper_the_kernel_uses_warp_group_products_and_the_tensor_memory_accelerator(hopper: Compiled) -> None:
    assert hopper.has("wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16")
    assert hopper.has("cp.async.bulk.tensor.2d")


def test_on_hopper_all_outputs_fit_the_registers_and_shared_memory(hopper: Compiled) -> None:
    assert hopper.spilled_bytes == 0
    assert hopper.registers <= 255
    assert hopper.shared_bytes <= 227 << 10


def test_bins_are_reduced_within_threads(hopper: Compiled) -> None:
    assert not hopper.has("shfl.sync.bfly")


def test_positions_in_tiny_scores_are_not_flushed_to_zero(hopper: Compiled) -> None:
    assert hopper.has("max.f32")
    assert not hopper.has(".ftz")


@pytest.mark.parametrize("capability", [80, 120])
def test_the_kernel_compiles_for_other_gpus_with_pointers(capability: int, tmp_path: Path) -> None:
    compiled = compiled_bins(capability, tmp_path)
    assert compiled.has("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32")
    assert compiled.has("cp.async.cg.shared.global")
    assert compiled.spilled_bytes == 0
    assert compiled.shared_bytes <= 99 << 10


def test_pairs_are_summed_in_float64(tmp_path: Path) -> None:
    compiled = compiled_pairs(90, tmp_path)
    assert compiled.has("f64")
    assert compiled.spilled_bytes == 0
