"""Approximate indexes beside the exact search: time to build, time to search, and recall, on real and made vectors.

    python benchmarks/approximate.py DATA --vectors FOLDER [--documents 262144] [--queries 4096]

DATA holds medquad-sample, nl2bash and rn-docs-sample, which the packaged MiniLM encodes; FOLDER keeps the vectors.
Queries are the corpus's own; of rn-docs-sample, which has none, lines of its pages. The made corpus mixes the real
vectors by twos: `.8 a + .6 b`, with a little noise, of unit length. Both sides give each query its best 100 and are
timed in one process on as many threads, scoring in float64 included. Prints tables and writes them to
benchmarks/results/approximate.md.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from oreline.encoders.models import packaged_folder
from oreline.recipe.settings import FaissHnsw, FaissIvf
from oreline.search.approximate.index import Library, Vectors
from oreline.search.approximate.libraries import library_of
from oreline.search.approximate.recall import agreement
from oreline.search.approximate.search import ApproximateSearch, Group
from oreline.search.dense import Searching
from oreline.search.scores import Float16
from oreline.search.shards import NO_TARGETS, Found, Shard, Wanted

RESULT = Path(__file__).parent / "results" / "approximate.md"
CORPORA = ("medquad-sample", "nl2bash", "rn-docs-sample")
INDEXES = (FaissIvf(kind="faiss_ivf"), FaissHnsw(kind="faiss_hnsw"))
SHARD_ROWS = 65_536
TOP_K = 100
MOST_QUERIES = 4_096


@dataclass(frozen=True)
class Corpus:
    """Documents and queries as unit vectors, float16."""

    name: str
    documents: Float16
    queries: Float16

    def shards(self) -> Iterator[Shard]:
        """Yields the documents as mining cuts them."""
        for start in range(0, len(self.documents), SHARD_ROWS):
            part = self.documents[start : start + SHARD_ROWS]
            yield Shard(part, np.arange(start, start + len(part)))

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """The list that each query gets."""
        return (Wanted(TOP_K, np.full(len(self.queries), np.inf)),)


def rows_of(path: Path) -> list[dict[str, str]]:
    """Returns the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def texts_of(folder: Path) -> tuple[list[str], list[str]]:
    """Returns the documents and the queries of a corpus."""
    documents = [f"{row.get('title') or ''} {row['text']}".strip() for row in rows_of(folder / "corpus.jsonl")]
    asked = folder / "queries.jsonl"
    if asked.exists():
        return documents, [row["text"] for row in rows_of(asked)][:MOST_QUERIES]
    lines = sorted({line.strip() for text in documents for line in text.split("\n") if 40 <= len(line.strip()) <= 200})
    return documents, lines[:MOST_QUERIES]


def encoded(data: Path, name: str, kept: Path) -> Corpus:
    """Returns a corpus by the packaged MiniLM; its vectors are made once."""
    path = kept / f"{name}.npz"
    if not path.exists():
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(packaged_folder(), device="cpu", model_kwargs={"dtype": torch.bfloat16})
        sides = [model.encode(texts, batch_size=64, normalize_embeddings=True) for texts in texts_of(data / name)]
        np.savez(path, documents=sides[0].astype(np.float16), queries=sides[1].astype(np.float16))
    found = np.load(path)
    return Corpus(name, found["documents"], found["queries"])


def made(corpora: Sequence[Corpus], documents: int, queries: int) -> Corpus:
    """Returns a larger corpus, whose neighbourhoods are like those of real ones."""
    rng = np.random.default_rng(7)
    texts = np.concatenate([each.documents for each in corpora])
    asked = np.concatenate([each.queries for each in corpora])

    def mixed(first: Float16, rows: int) -> Float16:
        some = first[rng.integers(0, len(first), rows)].astype(np.float32)
        others = texts[rng.integers(0, len(texts), rows)].astype(np.float32)
        mix = 0.8 * some + 0.6 * others + rng.normal(scale=0.01, size=some.shape).astype(np.float32)
        return np.asarray(mix / np.linalg.norm(mix, axis=1, keepdims=True), np.float16)

    return Corpus(f"made of them, {documents:,}", mixed(texts, documents), mixed(asked, queries))


def timed(action: Callable[[], Found]) -> tuple[Found, float]:
    """Returns what an action returns, and its seconds."""
    begun = time.monotonic()
    found = action()
    return found, time.monotonic() - begun


def exact(corpus: Corpus) -> Found:
    """Returns what the exact search finds."""
    return Searching().exact(corpus.queries, corpus.shards, corpus.wanted, NO_TARGETS)


def rows(corpus: Corpus) -> Iterable[str]:
    """Yields the lines of a corpus's table: exact search, then each index at each effort up to a recall of .999."""
    exact(Corpus("", corpus.documents[:1_000], corpus.queries[:100]))  # compiled at its first use
    expected, seconds = timed(lambda: exact(corpus))
    shape = f"{len(corpus.documents):,} x {corpus.documents.shape[1]} | {len(corpus.queries):,}"
    yield f"| {corpus.name} | {shape} | exact | | | {seconds:.2f} | 1 |"
    for settings in INDEXES:
        library: Library = library_of(settings, "cpu")
        vectors = Vectors(
            len(corpus.documents), corpus.documents.shape[1], lambda: (each.vectors for each in corpus.shards())
        )
        begun = time.monotonic()
        index = library.build(vectors)
        built = time.monotonic() - begun
        group = Group(vectors.rows, corpus.shards, lambda index=index: index, library.most_fetched)  # type: ignore[misc]
        for effort in library.efforts:
            search = ApproximateSearch(corpus.queries, [group], corpus.wanted, NO_TARGETS, effort, Searching().exact)
            found, seconds = timed(search.run)
            recall = agreement(expected, found).recalls[0]
            scanned = f" ({found.rescored} queries exactly)" if found.rescored else ""
            yield (
                f"| {corpus.name} | {shape} | {settings.kind} | {built:.1f} | {library.effort_key} {effort} | "
                f"{seconds:.2f} | {recall:.4f}{scanned} |"
            )
            if recall > 0.999:
                break


def main() -> None:
    """Measures and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=262_144)
    parser.add_argument("--queries", type=int, default=4_096)
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    arguments.vectors.mkdir(parents=True, exist_ok=True)
    corpora = [encoded(arguments.data, name, arguments.vectors) for name in CORPORA]
    corpora.append(made(corpora, arguments.documents, arguments.queries))
    lines = [
        "# Approximate indexes beside the exact search",
        "",
        (
            f"{platform.machine()}, {torch.get_num_threads()} threads, Python {platform.python_version()}; the best "
            f"{TOP_K} documents per query, times in seconds. An index is built by one thread."
        ),
        "",
        "| corpus | documents | queries | search | built in | at | searched in | recall |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    print("\n".join(lines), flush=True)
    for corpus in corpora:
        for line in rows(corpus):
            print(line, flush=True)
            lines.append(line)
    arguments.result.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
