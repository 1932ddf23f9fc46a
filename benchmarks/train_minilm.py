"""Does training on oreline's triples help? Measured on queries whose documents were held out before mining.

    python benchmarks/train_minilm.py DATA/medquad-sample
    python benchmarks/train_minilm.py DATA/nl2bash

A corpus is cut into three parts before anything else: chunks of one page, documents with an equal text and positives
of equal queries stay together. oreline mines the training part alone. The packaged MiniLM is trained on the exported
files for one epoch (InfoNCE) and asked the held-out test queries over the *whole* corpus, before and after. Settings
are tried with `--validate`: validation queries over the training and validation parts, the test part not read.

The arms train on the same anchors in the same order: `mined`, the rows as exported; `shuffled`, the control, in which
positives are permuted so that none keeps its own anchor: what gains there is no merit of the triples; and on request
`pairs`, the rows without the mined negatives.
"""

import argparse
import dataclasses
import datetime as dt
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import oreline
from oreline.encoders.precision import precision_of
from oreline.recipe.settings import Encoder
from oreline.records import Content, TaskType

from training.heldout import Split, components, read_beir, split, together, write_beir
from training.loop import Settings
from training.machine import machine
from training.results import gains, tables
from training.rows import Row, exported_rows, shuffled, without_negatives
from training.trials import Planned, Task, Trial, run_trials

RESULTS = Path(__file__).parent / "results"

Arm = Literal["mined", "pairs", "shuffled"]
ARMS: tuple[Arm, ...] = get_args(Arm)
TITLES: dict[str, str] = {
    "mined": "triples as exported",
    "pairs": "the same pairs, mined negatives left out",
    "shuffled": "control: positives shuffled",
}


@dataclass(frozen=True)
class Corpus:
    """What a recipe must know of a corpus, and how it is trained on."""

    name: str
    content: Content
    task_type: TaskType
    parent: str | None
    settings: Settings


CORPORA = {
    "medquad-sample": Corpus("medquad", "text", "retrieval", r"^(.*)_p\d+$", Settings(rows=320)),
    "nl2bash": Corpus("nl2bash", "code", "code_retrieval", None, Settings(rows=640, length=64)),
}


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark and writes `benchmarks/results/train_minilm_<corpus>.md`, or prints it with `--validate`."""
    options = _options(arguments)
    started = time.monotonic()
    corpus = CORPORA[options.data.name]
    settings = dataclasses.replace(
        corpus.settings,
        bfloat16=precision_of(Encoder()) == "bfloat16",
        **{name: value for name in ("rows", "rate") if (value := getattr(options, name)) is not None},
    )
    whole = read_beir(options.data)
    parts = split(whole, components(whole, corpus.content, corpus.parent), test=0.25, validation=0.1)
    with tempfile.TemporaryDirectory() as scratch:
        output = mine(parts, corpus, options.output or Path(scratch), settings.length, options.siblings)
        rows = exported_rows(output)
    asked = parts.validation if options.validate else parts.test
    documents = together(parts.training, parts.validation) if options.validate else whole.documents
    seeds = range(1, options.seeds + 1)
    plan = [Planned(arm, seed, arm_rows(rows, arm, seed)) for arm in options.arms for seed in seeds]
    trials = run_trials(Task(documents, asked, settings), plan)
    component = [parts.component[min(asked.positives[each])] for each in sorted(asked.positives)]
    text = "\n".join(
        [
            f"# Training MiniLM on mined triples: {options.data.name}",
            "",
            *_described(parts, len(rows), settings, options),
            "",
            *tables(trials, component, TITLES),
            "",
            *_circumstances(started, [each.seconds for each in trials if each.arm], options, arguments),
            "",
            verdict(trials),
        ]
    )
    print(text)
    if not options.validate:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"train_minilm_{corpus.name}.md").write_text(text + "\n", encoding="utf-8")


def arm_rows(rows: Sequence[Row], arm: Arm, seed: int) -> Sequence[Row]:
    """Returns the rows that an arm trains on: the same anchors in the same order, whatever the arm."""
    if arm == "shuffled":
        return shuffled(rows, seed)
    return without_negatives(rows) if arm == "pairs" else rows


def verdict(trials: Sequence[Trial]) -> str:
    """Returns whether the gain is above the spread and the control has none: a sentence on the figures alone.

    The gain counts as above the spread if its mean exceeds the standard deviation and every seed gains; the control
    has none if no seed of it gains more than the spread.
    """
    before, *trained = trials
    mined, control = gains("mined", before, trained), gains("shuffled", before, trained)
    if min(len(mined), len(control)) < 2:
        return "Verdict: none, as it takes two seeds of the triples and of the control."
    mean, spread = statistics.mean(mined), statistics.stdev(mined)
    above = mean > spread and min(mined) > 0
    word = "is" if above else "is NOT"
    none = max(control) <= spread
    return (
        f"Verdict: the gain in nDCG@10 {word} above the spread ({mean:+.4f} against {spread:.4f}; least seed "
        f"{min(mined):+.4f}); with shuffled positives there is {'none' if none else 'STILL A GAIN'} "
        f"(best seed {max(control):+.4f})."
    )


def mine(parts: Split, corpus: Corpus, root: Path, length: int, siblings: str | None) -> Path:
    """Runs oreline on the training part, which is all it gets to see, and returns the output."""
    if not (root / "source").exists():
        write_beir(parts.training, root / "source")
    source: dict[str, object] = {"path": str(root / "source"), "format": "beir", "dataset": corpus.name}
    source |= {"content": corpus.content, "task_type": corpus.task_type}
    recipe: dict[str, object] = {
        "output": str(root / f"siblings-{siblings or 'default'}"),
        "cache": str(root / "cache"),
        "sources": [source | ({"parent": corpus.parent} if corpus.parent else {})],
        "encoder": {"max_tokens": length, "threads": 1},
    }
    oreline.run(recipe | ({"select": {"siblings": siblings}} if siblings else {}))
    return Path(str(recipe["output"]))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help=f"a BEIR folder: {' or '.join(CORPORA)}")
    parser.add_argument("--validate", action="store_true", help="for choosing settings: the test part is not read")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["mined", "shuffled"])
    parser.add_argument("--rows", type=int, help="trained on; default: by corpus")
    parser.add_argument("--rate", type=float, help="learning rate; default: by corpus")
    parser.add_argument("--siblings", choices=["exclude", "allow"], help="other chunks of the positive's page")
    parser.add_argument("--output", type=Path, help="keep what is mined here, and use it again")
    options = parser.parse_args(arguments)
    if options.data.name not in CORPORA:
        parser.error(f"{options.data}: expected a folder named {' or '.join(CORPORA)}")
    return options


def _described(parts: Split, rows: int, settings: Settings, options: argparse.Namespace) -> list[str]:
    asked = parts.validation if options.validate else parts.test
    searched = [parts.training, parts.validation] + ([] if options.validate else [parts.test])
    trained = (
        f"- Trained on: {min(settings.rows, rows):,} of {rows:,} exported rows, mined from "
        f"{len(parts.training.queries):,} queries and {len(parts.training.documents):,} documents "
        f"(select.siblings: {options.siblings or 'default'}; no LLM, so no judge)."
    )
    held = (
        f"- Asked: {len(asked.queries):,} {'validation' if options.validate else 'test'} queries over "
        f"{len(together(*searched)):,} documents. The {len(asked.documents):,} documents of their pages, and every "
        "document with an equal text, were held out before mining."
    )
    how = (
        f"- Training: one epoch of InfoNCE, batches of {settings.batch} with {settings.negatives} of each row's "
        f"negatives, AdamW, learning rate {settings.rate:g}, temperature {settings.temperature:g}; all texts cut at "
        f"{settings.length} tokens, before as after. No setting was chosen on the test part: the learning rate was "
        "tried on the validation queries of medquad-sample (`--validate`), the number of rows set by time."
    )
    spread = (
        "- Standard deviation: over seeds, which draw rows, order and negatives. 95 % by queries: mean of the seeds, "
        "the pages of the queries drawn anew."
    )
    return [trained, held, how, spread]


def _circumstances(
    started: float, training: Sequence[float], options: argparse.Namespace, arguments: Sequence[str]
) -> list[str]:
    command = ["python", "benchmarks/train_minilm.py", f"DATA/{options.data.name}"]
    command += [each for each in arguments if each not in (str(options.data), "--output", str(options.output))]
    seconds, each = time.monotonic() - started, sum(training) / len(training)
    when = (
        f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}; {seconds:.0f} s in all, {each:.0f} s per training (one thread, "
        f"{os.cpu_count()} at a time; the machine had other work too). {machine('cpu', precision_of(Encoder()))}"
    )
    return [when, "", f"Command: `{' '.join(command)}`"]


if __name__ == "__main__":
    main(sys.argv[1:])
