"""The GPU section of `search.py`: exact top-100 search with the corpus on the device, all ways in one run.

    python benchmarks/search_gpu.py            the table
    python benchmarks/search_gpu.py --tune     times of the fused kernel alone, by tile sizes

TFLOP/s are 2 x queries x documents x dimension / time, whatever a way really computes.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from oreline.search.fused.bound import packed_error
from oreline.search.fused.finalists import Sought
from oreline.search.fused.find import find
from oreline.search.fused.hits import Corpus, Hits
from oreline.search.fused.launch import Best, Config, Outputs, Vectors, config_of, score_bins
from oreline.search.fused.layout import Layout

DEVICE = "cuda"
QUERIES, K = 8_192, 100
SHAPES = ((1_000_000, 768), (2_000_000, 384), (2_000_000, 1_024))
CHUNK = 1 << 17
FLOAT32_QUERIES = 1_024
CHECKED = 64
REPEATS = 5
TUNED = (
    Config(),
    Config(stages=4),
    Config(step=128, stages=2),
    Config(documents=128, warps=4),
    Config(documents=128, warps=4, stages=4),
    Config(queries=256, documents=128),
    Config(queries=64, warps=4),
)


@dataclass(frozen=True)
class Data:
    """Unit vectors on the device, float16: queries, documents in their order, and these as the kernels want them."""

    queries: torch.Tensor
    documents: torch.Tensor
    corpus: Corpus

    @classmethod
    def random(cls, documents: int, dimension: int, config: Config) -> "Data":
        """Returns random unit vectors."""
        generator = torch.Generator(DEVICE).manual_seed(13)

        def unit(rows: int) -> torch.Tensor:
            matrix = torch.empty((rows, dimension), dtype=torch.float16, device=DEVICE)
            for part in chunks(matrix):
                part.copy_(torch.nn.functional.normalize(torch.randn(part.shape, generator=generator, device=DEVICE)))
            return matrix

        own = unit(documents)
        return cls(unit(QUERIES), own, corpus_of(own, config))

    def flops(self, queries: int = QUERIES) -> float:
        """Returns the floating point operations of scoring all documents."""
        return 2.0 * queries * self.documents.shape[0] * self.documents.shape[1]


def corpus_of(documents: torch.Tensor, config: Config) -> Corpus:
    """Returns documents in slots; what `fused.upload.corpus_of` does with vectors of the host."""
    layout = Layout(len(documents), config.documents)
    vectors = Vectors.empty(layout.tiles * layout.width, documents.shape[1], documents.device)
    number = torch.arange(len(documents), device=documents.device)
    for part in chunks(number):
        vectors.matrix[layout.slot(part), : documents.shape[1]] = documents[part]
    return Corpus(vectors, layout, number, 1.001, config)


def chunks(rows: torch.Tensor) -> list[torch.Tensor]:
    """Returns rows in parts of `CHUNK`."""
    return [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]


def seconds(works: Sequence[Callable[[], object]]) -> list[float]:
    """Returns the median time of each work; they take turns, and a first round warms up."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS + 1):
        for took, work in zip(times, works, strict=True):
            torch.cuda.synchronize()
            start = time.perf_counter()
            work()
            torch.cuda.synchronize()
            took.append(time.perf_counter() - start)
    return [statistics.median(took[1:]) for took in times]


def fused(data: Data) -> Hits:
    """Searches exactly: kernel, certificate, finalists in float64, sorted lists."""
    error = packed_error(data.queries.shape[1], 1.001, data.corpus.norm, data.corpus.layout.places)
    infinite = torch.full((QUERIES,), float("inf"), dtype=torch.float64, device=DEVICE)
    none = torch.empty(0, dtype=torch.int64, device=DEVICE)
    sought = Sought(K, infinite, -infinite, limited=False, left_out=(none, none), error=error)
    hits, crowded = find(data.corpus, Vectors(data.queries, data.queries.shape[1]), [sought])
    if hits[0] is None or bool(crowded.any()):
        raise RuntimeError("random vectors are too crowded to be searched: the bound is wrong")
    return hits[0]


def scored(data: Data) -> None:
    """Computes all scores and writes them; no top-k."""
    for part in chunks(data.documents):
        torch.matmul(data.queries, part.T)


def chunked(queries: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
    """Computes scores a chunk at a time, takes each chunk's best and then the best of those; returns the places."""
    values, places = [], []
    for start, part in zip(range(0, len(documents), CHUNK), chunks(documents), strict=True):
        best = torch.topk(torch.matmul(queries, part.T), K, dim=1)
        values.append(best.values)
        places.append(best.indices + start)
    best = torch.topk(torch.cat(values, dim=1), K, dim=1)
    return torch.cat(places, dim=1).gather(1, best.indices)


def square() -> float:
    """Returns the TFLOP/s of a large square product: the ceiling."""
    one = torch.randn((16_384, 16_384), device=DEVICE).half()
    return 2.0 * 16_384**3 / seconds([lambda: torch.matmul(one, one)])[0] / 1e12


def differing(data: Data, hits: Hits) -> int:
    """Returns how many of some queries have another list than plain float64 gives."""
    best: list[torch.Tensor] = []
    for row in range(CHECKED):
        query = data.queries[row].double()
        scores = torch.cat([part.double() @ query for part in chunks(data.documents)])
        best.append(torch.argsort(scores, descending=True, stable=True)[:K])
    return sum(not torch.equal(hits.documents[hits.rows == row], expected) for row, expected in enumerate(best))


def rows_of(documents: int, dimension: int) -> list[str]:
    """Returns the lines of one shape."""
    data = Data.random(documents, dimension, config_of(torch.device(DEVICE)))
    wide, few = data.documents.float(), data.queries[:FLOAT32_QUERIES].float()
    best = Best.empty(QUERIES, data.corpus.layout, torch.device(DEVICE))
    queries = Vectors(data.queries, dimension)
    ways: tuple[tuple[str, int, Callable[[], object]], ...] = (
        ("one float16 matmul, scores written, no top-k", QUERIES, lambda: scored(data)),
        ("chunked float16 matmul + torch.topk + merge", QUERIES, lambda: chunked(data.queries, data.documents)),
        ("float32 matmul + torch.topk + merge", FLOAT32_QUERIES, lambda: chunked(few, wide)),
        (
            "the fused kernel alone",
            QUERIES,
            lambda: score_bins(queries, data.corpus.vectors, data.corpus.layout, Outputs(best), data.corpus.config),
        ),
        ("fused, exact lists", QUERIES, lambda: fused(data)),
    )
    times = seconds([work for _, _, work in ways])
    rates = {name: number / took for (name, number, _), took in zip(ways, times, strict=True)}
    exact = rates["fused, exact lists"]
    shape = f"{documents:,} x {dimension}"
    lines = [
        f"| {name} | {shape} | {rate * data.flops(1) / 1e12:.0f} | {rate:,.0f} | {exact / rate:.1f} |"
        for name, rate in rates.items()
    ]
    wrong = differing(data, fused(data))
    return [*lines, f"| lists that differ from float64, of {CHECKED} | {shape} | {wrong} | | |"]


def table() -> list[str]:
    """Returns the table's lines; needs a CUDA device with Triton."""
    name = f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {QUERIES:,} queries, top {K}"
    lines = [
        f"{name}; a square float16 matmul: {square():.0f} TFLOP/s",
        "",
        "| way | documents x dimension | TFLOP/s | queries/s | fused takes this many times less time |",
        "| --- | --- | --- | --- | --- |",
    ]
    for documents, dimension in SHAPES:
        lines += rows_of(documents, dimension)
        torch.cuda.empty_cache()
    return lines


def kernel_seconds(data: Data) -> float:
    """Returns the time of the kernel alone."""
    corpus, queries = data.corpus, Vectors(data.queries, data.queries.shape[1])
    outputs = Outputs(Best.empty(QUERIES, corpus.layout, torch.device(DEVICE)))
    return seconds([lambda: score_bins(queries, corpus.vectors, corpus.layout, outputs, corpus.config)])[0]


def tuned() -> list[str]:
    """Returns the time of the kernel alone per tile size, for the first shape."""
    lines = ["| tile sizes | TFLOP/s |", "| --- | --- |"]
    for config in TUNED:
        took = kernel_seconds(Data.random(*SHAPES[0], config))
        lines.append(f"| {config} | {2.0 * QUERIES * SHAPES[0][0] * SHAPES[0][1] / took / 1e12:.0f} |")
    return lines


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tune", action="store_true", help="time the fused kernel's tile sizes instead")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no CUDA device; the figures of a GPU need one")
    print("\n".join(tuned() if arguments.tune else table()))


if __name__ == "__main__":
    main()
