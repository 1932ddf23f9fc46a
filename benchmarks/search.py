"""Exact top-k search beside faiss, torch and numpy: queries per second, and how many lists differ from float64's.

    python benchmarks/search.py [--documents 200000] [--dimension 384] [--queries 1024] [--k 100] [--write FILE]

Random unit vectors, stored as float16, as oreline stores them. The sides take turns in one process, so that what else
the machine does falls on all of them; a rate is the median of the rounds. A list differs if its ids are not those of
the float64 scores, best first, ties by id. faiss is left out where it is not installed. With a CUDA device a second
table compares the searches that run there.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from oreline.encoders.precision import cpu_has_bfloat16
from oreline.search import reference
from oreline.search.exact import Search
from oreline.search.passes import first_pass
from oreline.search.scanned import Scanned
from oreline.search.scores import Float16, Int64
from oreline.search.shards import Shard, Tiles, Wanted

SHARD = 65_536
CHUNK = 8_192
REFERENCE_QUERIES = 64
PART = 256
"""Queries that are searched in float64 too, which is slow."""

Side = Callable[[], Int64]
"""Searches, and returns ids, queries x k."""


def unit(rows: int, dimension: int, seed: int) -> Float16:
    """Returns random unit vectors."""
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension), dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)


def sides(vectors: Float16, queries: Float16, k: int) -> dict[str, Side]:
    """Returns what is compared, by name; what each side needs only once is made here."""
    order = np.arange(len(vectors))
    shards = [
        Shard(vectors[start : start + SHARD], order[start : start + SHARD]) for start in range(0, len(order), SHARD)
    ]
    wanted = [Wanted(k, np.full(len(queries), np.inf))]
    found: dict[str, Side] = {
        "oreline": lambda: _ids(Search(queries, lambda: shards, wanted, first_pass=first_pass()), k)
    }
    if cpu_has_bfloat16():
        wide = Scanned(narrow=False, tiles=Tiles(1_024, 1_024))
        found["oreline, as on a CPU without bfloat16"] = lambda: _ids(
            Search(queries, lambda: shards, wanted, first_pass=wide), k
        )
    left, right = (torch.from_numpy(each).float() for each in (queries, vectors))
    try:
        import faiss
    except ImportError:
        pass
    else:
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(right.numpy())
        faiss.omp_set_num_threads(torch.get_num_threads())
        found["faiss IndexFlatIP"] = lambda: index.search(left.numpy(), k)[1]
    found["torch float32 matmul and topk, in chunks"] = lambda: _chunked(left, right, k)
    return found


def _ids(search: Search, k: int) -> Int64:
    return search.run().lists[0].order.reshape(-1, k)


def _chunked(left: torch.Tensor, right: torch.Tensor, k: int) -> Int64:
    values, places = torch.empty((len(left), 0)), torch.empty((len(left), 0), dtype=torch.int64)
    for start in range(0, len(right), CHUNK):
        best = torch.topk(left @ right[start : start + CHUNK].T, min(k, len(right) - start), dim=1)
        values, places = torch.cat([values, best.values], dim=1), torch.cat([places, best.indices + start], dim=1)
        again = torch.topk(values, min(k, values.shape[1]), dim=1)
        values, places = again.values, places.gather(1, again.indices)
    return np.asarray(places.numpy(), np.int64)


def plain(vectors: Float16, queries: Float16, k: int) -> tuple[Int64, float]:
    """Returns the ids by float64 scores of all queries, and the queries per second of that."""
    order, lists = np.arange(len(vectors)), []
    started = time.perf_counter()
    for start in range(0, len(queries), REFERENCE_QUERIES):
        some = queries[start : start + REFERENCE_QUERIES]
        found = reference.search(some, [Shard(vectors, order)], [Wanted(k, np.full(len(some), np.inf))])
        lists.append(found.lists[0].order.reshape(-1, k))
    return np.concatenate(lists), len(queries) / (time.perf_counter() - started)


def cpu_table(documents: int, dimension: int, queries: int, k: int, rounds: int) -> list[str]:
    """Returns the table of the CPU."""
    vectors, asking = unit(documents, dimension, 0), unit(queries, dimension, 1)
    every = sides(vectors, asking, k)
    found = {name: side() for name, side in every.items()}
    seconds: dict[str, list[float]] = {name: [] for name in every}
    for _ in range(rounds):
        for name, side in every.items():
            started = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - started)
    rates = {name: queries / statistics.median(times) for name, times in seconds.items()}
    right, rate = plain(vectors, asking[:PART], k)
    rates["numpy float64, the reference"] = rate
    found["numpy float64, the reference"] = right
    beside = rates.get("faiss IndexFlatIP")
    lines = ["| search | queries/s | beside faiss | lists that differ from float64's |", "| --- | --: | --: | --: |"]
    for name, each in rates.items():
        ratio = "-" if beside is None else f"{each / beside:.2f}"
        lines.append(
            f"| {name} | {each:,.0f} | {ratio} | {_differing(found[name][: len(right)], right):,} of {len(right):,} |"
        )
    head = f"## CPU: {documents:,} documents x {dimension}, {queries:,} queries, the best {k}"
    return [head, "", *lines, "", _machine(), ""]


def _differing(found: npt.NDArray[np.int64], right: Int64) -> int:
    return int((found != right).any(axis=1).sum())


def _machine() -> str:
    native = "with" if cpu_has_bfloat16() else "without"
    return (
        f"{torch.get_num_threads()} threads of {os.cpu_count()} cores ({platform.machine()}, {native} bfloat16 matrix "
        f"products), torch {torch.__version__}, Python {platform.python_version()}."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables, and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--queries", type=int, default=1_024)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", type=Path, metavar="FILE", help="where the tables go besides the screen")
    given = parser.parse_args(arguments)
    lines = ["# Exact search", ""]
    lines += cpu_table(given.documents, given.dimension, given.queries, given.k, given.rounds)
    if torch.cuda.is_available():
        import search_gpu

        lines += search_gpu.table()
    text = "\n".join(lines)
    print(text)
    if given.write is not None:
        given.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
