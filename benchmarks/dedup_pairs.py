"""Recall and precision of pairs on rn-docs-sample, by preset, with and without verification, beside the S-curve.

    python benchmarks/dedup_pairs.py DATA/rn-docs-sample [--datatrove VENV/bin/python] [--medquad DATA/medquad-sample]

The truth are the pairs of pairs_exact_jaccard.tsv with a word-5-gram Jaccard similarity of 0.8 or more. `candidates`
are the pairs that share a bucket, `clusters` those that come out in one cluster of the stage dedup, of datatrove
likewise. `S-curve` is the recall of candidates that the banding promises for these very pairs. With --medquad: how many
documents go as near-duplicates, and how many of them name another disease than the document that stays. Prints tables
and writes them to benchmarks/results/dedup_pairs.md.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa

import oreline
from oreline.minhash.forms import forms_of
from oreline.minhash.grams import grams
from oreline.minhash.parameters import Parameters
from oreline.minhash.permutations import band_hashes
from oreline.recipe.settings import Dedup
from oreline.recipe.settings.presets import PRESETS

RESULT = Path(__file__).parent / "results" / "dedup_pairs.md"
THRESHOLD = 0.8

Pairs = set[tuple[str, str]]


def ordered(one: str, other: str) -> tuple[str, str]:
    """Returns two ids as a pair."""
    return (one, other) if one < other else (other, one)


def listed(source: Path) -> dict[tuple[str, str], float]:
    """Returns the similarities of the list."""
    with (source / "pairs_exact_jaccard.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {ordered(row["id1"], row["id2"]): float(row["jaccard_word5"]) for row in rows}


def within(groups: Iterable[Iterable[str]]) -> Pairs:
    """Returns all pairs within groups of ids."""
    return {ordered(*pair) for group in groups for pair in combinations(sorted(set(group)), 2)}


def candidates(documents: dict[str, str], parameters: Parameters) -> Pairs:
    """Returns the pairs that share a bucket."""
    ids = list(documents)
    sequences = grams(forms_of(pa.array(documents.values()), "text"), parameters.shape)
    signatures = parameters.drawn.signatures(sequences)
    hashes = band_hashes(signatures, np.zeros(len(ids), np.uint64), parameters.bands, parameters.rows)
    buckets: dict[int, list[str]] = defaultdict(list)
    for place in np.flatnonzero(np.diff(sequences.starts)).tolist():
        for bucket in hashes[place].tolist():
            buckets[bucket].append(ids[place])
    return within(buckets.values())


def clustered(corpus: Path, settings: dict[str, object]) -> Pairs:
    """Returns the pairs that the stage dedup puts into one cluster."""
    with tempfile.TemporaryDirectory() as folder:
        source = {"path": str(corpus), "format": "jsonl", "dataset": "rn"}
        oreline.run({"output": f"{folder}/out", "sources": [source], "dedup": settings}, until="dedup")
        rows = oreline.read(f"{folder}/out/dedup/signatures").select("doc_id", "cluster").collect()
    groups: dict[str, list[str]] = defaultdict(list)
    for doc_id, cluster in rows.iter_rows():
        if cluster is not None:
            groups[cluster].append(doc_id.removeprefix("rn/"))
    return within(groups.values())


def clustered_by_datatrove(corpus: Path, python: str, parameters: Parameters) -> Pairs:
    """Returns the pairs that datatrove puts into one cluster."""
    side = str(Path(__file__).parent / "datatrove_side.py")
    with tempfile.TemporaryDirectory() as folder:
        shape = [str(each) for each in (parameters.ngram, parameters.bands, parameters.rows)]
        command = [python, side, str(corpus.parent), f"{folder}/out", *shape, "1"]
        subprocess.run(command, check=True, capture_output=True)
        groups: dict[int, list[str]] = defaultdict(list)
        for path in [*Path(folder).glob("out/kept/*"), *Path(folder).glob("out/removed/*")]:
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                cluster = row["metadata"].get("minhash_cluster_id", -1)
                if cluster >= 0:
                    groups[cluster].append(row["id"])
    return within(groups.values())


def scores(found: Pairs, truth: Pairs) -> list[str]:
    """Returns recall and precision as cells."""
    right = len(found & truth)
    return [f"{right / len(truth):.3f}", f"{right / len(found):.3f}" if found else "-"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def by_preset(source: Path, python: str | None) -> str:
    """Returns the table of the presets."""
    similarities = listed(source)
    truth = {pair for pair, found in similarities.items() if found >= THRESHOLD}
    lines = (source / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    documents = {row["_id"]: row["text"] for row in map(json.loads, lines)}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.jsonl"
        corpus.write_text("".join(json.dumps({"id": each, "text": text}) + "\n" for each, text in documents.items()))
        for preset in PRESETS:
            parameters = Parameters.of(Dedup.model_validate({"preset": preset}))
            promised = np.mean([parameters.recall(similarities[pair]) for pair in truth])
            near = scores(candidates(documents, parameters), truth)
            rows.append([preset, f"candidates (S-curve {promised:.3f})", *near])
            for verify in ("none", "jaccard", "edit"):
                found = clustered(corpus, {"preset": preset, "verify": verify})
                rows.append([preset, f"clusters, verify: {verify}", *scores(found, truth)])
            if python:
                found = clustered_by_datatrove(corpus, python, parameters)
                rows.append([preset, "clusters, datatrove", *scores(found, truth)])
    return table(["preset", "what", "recall", "precision"], rows)


def on_medquad(source: Path) -> str:
    """Returns the table of near-duplicates of other diseases: medquad's titles name the disease of a page."""
    lines = (source / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    titles = {f"mq/{row['_id']}": row["title"] for row in map(json.loads, lines)}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for verify in ("none", "jaccard", "edit"):
            path = {"path": str(source / "corpus.jsonl"), "format": "jsonl", "dataset": "mq"}
            recipe = {"output": f"{folder}/{verify}", "sources": [path], "dedup": {"verify": verify}}
            oreline.run(recipe, until="dedup")
            rejects = oreline.read(f"{folder}/{verify}/dedup/rejects").collect().to_dicts()
            near = [each for each in rejects if each["reason"] == "near_duplicate"]
            other = sum(titles[each["row_id"]] != titles[each["by"]] for each in near)
            rows.append([verify, f"{len(near)}", f"{other}"])
    return table(["verify", "near-duplicates dropped", "of these, the one kept has another title"], rows)


def main() -> None:
    """Prints and keeps the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", type=Path)
    arguments.add_argument("--datatrove", metavar="PYTHON")
    arguments.add_argument("--medquad", type=Path)
    given = arguments.parse_args()
    text = (
        "# Pairs of rn-docs-sample with a Jaccard similarity of 0.8 or more\n\n"
        f"{by_preset(given.source, given.datatrove)}\n\n"
        "In the list's words an underscore is a letter, in the stage's it ends a word. Clusters are "
        "transitive: a chain of near pairs puts its ends together, which costs precision, verified or not.\n"
    )
    if given.medquad:
        text += (
            f"\n## Near-duplicates of medquad-sample\n\n{on_medquad(given.medquad)}\n\n"
            "A near-duplicate that a query is judged with stays; here no query is read. A title names the disease.\n"
        )
    RESULT.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
