"""Does training on oreline's triples help? Measured on queries whose documents were held out before mining.

    python benchmarks/train_medquad.py DATA/medquad-sample

Queries, and whole pages with them, are split before anything else: a connected component of (query, page, page with
an equal text) is either held out or trained on. oreline mines the training part alone. The packaged MiniLM is then
trained on the exported files with InfoNCE over in-batch positives and hard negatives, and evaluated on the held-out
queries over the *whole* corpus, before and after, for several seeds. The control trains on the same rows with the
positives shuffled among them: whatever still gains there is no merit of the triples.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device

import oreline
from oreline.encoders.models import model_folder
from oreline.encoders.rendering import plain_document
from oreline.normalise import text_hash

RESULTS = Path(__file__).parent / "results" / "train_medquad.md"


@dataclass(frozen=True)
class Labelled:
    """A labelled corpus: documents as (title, text), queries, and the positives of each query."""

    documents: dict[str, tuple[str, str]]
    queries: dict[str, str]
    positives: dict[str, set[str]]


@dataclass(frozen=True)
class Row:
    """A training row."""

    anchor: str
    positive: str
    negatives: tuple[str, ...]


@dataclass(frozen=True)
class Training:
    """How the model is trained and evaluated; lengths are in tokens."""

    rows: int = 640
    batch: int = 32
    negatives: int = 2
    length: int = 96
    evaluated_length: int = 128
    rate: float = 5e-5
    temperature: float = 0.05


@dataclass(frozen=True)
class Scores:
    """Retrieval quality, 0 to 1."""

    ndcg: float
    mrr: float


def read_beir(folder: Path) -> Labelled:
    """Reads a BEIR folder, all qrels files together."""
    documents = {row["_id"]: (row.get("title") or "", row["text"]) for row in _json_lines(folder / "corpus.jsonl")}
    queries = {row["_id"]: row["text"] for row in _json_lines(folder / "queries.jsonl")}
    positives: dict[str, set[str]] = defaultdict(set)
    for path in sorted((folder / "qrels").glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            query_id, doc_id, grade = line.split("\t")
            if float(grade) > 0:
                positives[query_id].add(doc_id)
    return Labelled(documents, queries, dict(positives))


def page_of(doc_id: str) -> str:
    """Returns the page that a chunk of medquad was cut from."""
    return doc_id.rsplit("_p", 1)[0]


def components(labelled: Labelled) -> dict[str, str]:
    """Returns the component of every page: pages with a common query or an equal text are one component."""
    parent = {page_of(doc_id): page_of(doc_id) for doc_id in labelled.documents}

    def root(page: str) -> str:
        while parent[page] != page:
            parent[page] = parent[parent[page]]
            page = parent[page]
        return page

    groups = [{page_of(doc_id) for doc_id in found} for found in labelled.positives.values()]
    by_text: dict[str, set[str]] = defaultdict(set)
    for doc_id, (_, text) in labelled.documents.items():
        by_text[text_hash(text, "text")].add(page_of(doc_id))
    for group in [*groups, *by_text.values()]:
        first, *others = sorted(group)
        for other in others:
            a, b = sorted((root(first), root(other)))
            parent[b] = a
    return {page: root(page) for page in parent}


def split(labelled: Labelled, share: float) -> tuple[Labelled, Labelled]:
    """Returns (training part, held-out part): about `share` of the components are held out, by a hash of their name."""
    component = components(labelled)
    held_out = {page for page, name in component.items() if _fraction(name) < share}

    def part(*, held: bool) -> Labelled:
        documents = {i: each for i, each in labelled.documents.items() if (page_of(i) in held_out) == held}
        positives = {
            i: found for i, found in labelled.positives.items() if all((page_of(d) in held_out) == held for d in found)
        }
        return Labelled(documents, {i: labelled.queries[i] for i in positives}, positives)

    return part(held=False), part(held=True)


def write_beir(labelled: Labelled, folder: Path) -> None:
    """Writes a labelled corpus as a BEIR folder with the split `train`."""
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": i, "title": title, "text": text} for i, (title, text) in labelled.documents.items()]
    queries = [{"_id": i, "text": text} for i, text in labelled.queries.items()]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    pairs = [f"{i}\t{doc_id}\t1\n" for i, found in labelled.positives.items() for doc_id in sorted(found)]
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(pairs), encoding="utf-8")


def mined_rows(source: Path, output: Path, siblings: str | None) -> list[Row]:
    """Runs oreline on the training part and returns the rows of the files it exported."""
    recipe: dict[str, object] = {
        "output": str(output),
        "sources": [{"path": str(source), "format": "beir", "dataset": "medquad", "parent": r"^(.*)_p\d+$"}],
    }
    if siblings is not None:
        recipe["select"] = {"siblings": siblings}
    oreline.run(recipe)
    rows: list[Row] = []
    for folder in sorted((output / "train" / "sentence-transformers" / "medquad").glob("negatives-*")):
        table = pl.read_parquet(folder / "train" / "*.parquet")
        rows += [Row(anchor, positive, tuple(negatives)) for anchor, positive, *negatives in table.iter_rows()]
    return sorted(rows, key=lambda row: _fraction(row.anchor + row.positive))


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """Returns the rows with positives moved among them so that no row keeps its own place."""
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    moved = dict(zip(order, [*order[1:], order[0]], strict=True))
    return [dataclasses.replace(row, positive=rows[moved[place]].positive) for place, row in enumerate(rows)]


def train(model: SentenceTransformer, rows: Sequence[Row], seed: int, settings: Training) -> None:
    """Trains a model in place for one epoch over `settings.rows` of the rows."""
    torch.manual_seed(seed)
    draw = random.Random(seed)
    chosen = draw.sample(list(rows), min(settings.rows, len(rows)))
    steps = len(chosen) // settings.batch
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_up(step, steps))
    model.max_seq_length = settings.length
    model.train()
    for step in range(steps):
        batch = chosen[step * settings.batch : (step + 1) * settings.batch]
        loss = info_nce(model, batch, draw, settings)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own annotations
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def info_nce(model: SentenceTransformer, batch: Sequence[Row], draw: random.Random, settings: Training) -> torch.Tensor:
    """Returns the loss of a batch: each anchor against all positives and all drawn negatives (InfoNCE).

    A text that equals the anchor's own positive elsewhere in the batch is masked.
    """
    texts = [row.positive for row in batch]
    for row in batch:
        texts += draw.sample(row.negatives, min(settings.negatives, len(row.negatives)))
    queries, documents = (_embed(model, each) for each in ([row.anchor for row in batch], texts))
    logits = queries @ documents.T / settings.temperature
    equal = torch.tensor(
        [[place != n and texts[place] == row.positive for place in range(len(texts))] for n, row in enumerate(batch)]
    )
    logits = logits.masked_fill(equal.to(logits.device), float("-inf"))
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(batch), device=logits.device))


def evaluate(model: SentenceTransformer, corpus: Labelled, asked: Labelled, settings: Training) -> Scores:
    """Returns nDCG@10 and MRR@10 of the queries of `asked` over all documents of `corpus`."""
    model.max_seq_length = settings.evaluated_length
    model.eval()
    doc_ids, query_ids = sorted(corpus.documents), sorted(asked.positives)
    documents = _vectors(model, [plain_document(*corpus.documents[each]) for each in doc_ids])
    queries = _vectors(model, [asked.queries[each] for each in query_ids])
    ndcg, mrr = [], []
    for query_id, scores in zip(query_ids, queries @ documents.T, strict=True):
        top = [doc_ids[place] for place in np.argsort(-scores, kind="stable")[:10]]
        hits = [each in asked.positives[query_id] for each in top]
        ideal = sum(1 / np.log2(place + 2) for place in range(min(10, len(asked.positives[query_id]))))
        ndcg.append(sum(hit / np.log2(place + 2) for place, hit in enumerate(hits)) / ideal)
        mrr.append(next((1 / (place + 1) for place, hit in enumerate(hits) if hit), 0.0))
    return Scores(float(np.mean(ndcg)), float(np.mean(mrr)))


@dataclass(frozen=True)
class Trial:
    """What every trained model is compared on: the held-out queries over the whole corpus."""

    corpus: Labelled
    held: Labelled
    settings: Training

    def before(self) -> Scores:
        """Returns the scores of the packaged model."""
        return evaluate(SentenceTransformer(model_folder("minilm")), self.corpus, self.held, self.settings)

    def after(self, rows: Sequence[Row], seed: int) -> Scores:
        """Trains the packaged model on rows and returns its scores; prints them as they come."""
        started = time.monotonic()
        model = SentenceTransformer(model_folder("minilm"))
        train(model, rows, seed, self.settings)
        found = evaluate(model, self.corpus, self.held, self.settings)
        print(f"seed {seed}: nDCG@10 {found.ndcg:.4f}, {time.monotonic() - started:.0f} s", flush=True)
        return found


def report(counts: str, before: Scores, after: Sequence[Scores], control: Sequence[Scores], settings: Training) -> str:
    """Returns the results as markdown, with the verdict and the machine."""
    lines = ["# Training on mined triples: medquad-sample", "", counts, ""]
    lines += [f"Training: {dataclasses.asdict(settings)}; AdamW, one epoch, packaged MiniLM (all layers).", ""]
    lines += ["| model | nDCG@10 | MRR@10 | gain in nDCG@10, by seed | mean | spread (standard deviation) |"]
    lines += ["| --- | --- | --- | --- | --- | --- |", f"| as packaged | {before.ndcg:.4f} | {before.mrr:.4f} | | | |"]
    for name, found in (("trained on the triples", after), ("trained on shuffled positives", control)):
        lines.append(_line(name, before, found))
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, {torch.get_num_threads()} threads"
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    lines += ["", f"Machine: {machine}, {device}; Python {platform.python_version()}, torch {torch.__version__}."]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark; writes `benchmarks/results/train_medquad.md` unless `--write` names another file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the BEIR folder medquad-sample")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=Training.rows)
    parser.add_argument("--share", type=float, default=0.3, help="of the components that is held out")
    parser.add_argument("--siblings", choices=["exclude", "allow"], help="other chunks of the positive's page")
    parser.add_argument("--output", type=Path, help="keep the mined output here, and use it again")
    parser.add_argument("--write", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    settings = Training(rows=options.rows)
    whole = read_beir(options.data)
    training, held = split(whole, options.share)
    with tempfile.TemporaryDirectory() as scratch:
        root = options.output or Path(scratch)
        if not (root / "source").exists():
            write_beir(training, root / "source")
        rows = mined_rows(root / "source", root / "out", options.siblings)
    counts = (
        f"{len(whole.documents):,} documents searched. Trained on: {len(training.queries):,} queries, "
        f"{len(training.documents):,} documents, {len(rows):,} rows mined. Held out with all their pages: "
        f"{len(held.queries):,} queries, {len(held.documents):,} documents."
    )
    print(counts, flush=True)
    trial = Trial(whole, held, settings)
    before = trial.before()
    print(f"as packaged: nDCG@10 {before.ndcg:.4f}, MRR@10 {before.mrr:.4f}", flush=True)
    seeds = range(1, options.seeds + 1)
    after = [trial.after(rows, seed) for seed in seeds]
    control = [trial.after(shuffled(rows, seed), seed) for seed in seeds]
    text = report(counts, before, after, control, settings)
    options.write.parent.mkdir(parents=True, exist_ok=True)
    options.write.write_text(text, encoding="utf-8")
    print(text)


def _line(name: str, before: Scores, found: Sequence[Scores]) -> str:
    gained = [each.ndcg - before.ndcg for each in found]
    spread = f"{statistics.stdev(gained):.4f}" if len(gained) > 1 else "-"
    ndcg, mrr = (statistics.mean(getattr(each, measure) for each in found) for measure in ("ndcg", "mrr"))
    by_seed = ", ".join(f"{gain:+.4f}" for gain in gained)
    return f"| {name} | {ndcg:.4f} | {mrr:.4f} | {by_seed} | {statistics.mean(gained):+.4f} | {spread} |"


def _embed(model: SentenceTransformer, texts: Sequence[str]) -> torch.Tensor:
    """Returns unit vectors with gradients, in the order of `texts`."""
    features = batch_to_device(model.preprocess(list(texts)), model.device)
    vectors: torch.Tensor = model(features)["sentence_embedding"]
    return torch.nn.functional.normalize(vectors, dim=1)


def _vectors(model: SentenceTransformer, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    encoded = model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(encoded, dtype=np.float32)


def _warm_up(step: int, steps: int) -> float:
    warm = max(1, steps // 10)
    return min(1.0, (step + 1) / warm) * max(0.0, (steps - step) / steps)


def _fraction(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / (1 << 48)


def _json_lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


if __name__ == "__main__":
    main(sys.argv[1:])
