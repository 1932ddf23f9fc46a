"""Which negatives train best? MiniLM trained on one corpus's rows, mined and judged in different ways.

    PYTHONPATH=pipelines:tests python benchmarks/train.py DATA/nl2bash
    PYTHONPATH=pipelines:tests python benchmarks/train.py DATA/nl2bash --device cuda

A corpus is cut into parts that share no page, text or query. The training part is made as imperfect as written data:
of a query's positives one is shown and the others are hidden, and for 15 % of the queries the one shown is swapped for
a document that is none of theirs. Queries with several positives are taken first, as only there a miner can be seen to
take a positive for a negative. oreline makes the rows of each arm from that; a local server answers the judges' calls
from all labels, wrong for a set share of the verdicts.

All arms train on the same anchors in the same batches, for the same steps. Where an arm has no row for an anchor, as
its judge found no relevant document, the next anchor of the draw takes its place: what dropping a row is worth counts
for the arm that drops it. Asked are held-out queries, with all their labels, as they are.

On a CPU the test queries are cut to a thousand and search the held-out documents; on a GPU all of them search the
whole corpus, and two thirds of the training queries are trained on. `--rows` and `--asked` say otherwise.
"""

import argparse
import dataclasses
import datetime as dt
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oreline.encoders.precision import precision_of
from oreline.recipe.settings import Encoder

from training.arms import ARMS, NEGATIVES, Corpus, Judges, Workshop, arm_rows
from training.compared import comparisons, composition
from training.draws import Drawn, drawn
from training.heldout import Labelled, components, fraction, read_beir, split
from training.imperfect import Imperfect, imperfect, labels_of
from training.loop import Settings
from training.machine import machine
from training.results import tables
from training.trials import Planned, Task, run_trials

RESULTS = Path(__file__).parent / "results"
SWAPPED = 0.15
CPU_ROWS, CPU_ASKED = 480, 1000


@dataclass(frozen=True)
class Case:
    """A corpus, and where its texts are cut, in tokens."""

    corpus: Corpus
    length: int


CASES = {
    "nl2bash": Case(Corpus("nl2bash", "code", "code_retrieval", None), 48),
    "medquad-sample": Case(Corpus("medquad", "text", "retrieval", r"^(.*)_p\d+$"), 128),
}
"""By folder name; any other is text without parents."""


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark and writes `benchmarks/results/train_<corpus>.md`."""
    options = _options(arguments)
    started = time.monotonic()
    case = CASES.get(options.data.name, Case(Corpus(options.data.name, "text", "retrieval", None), 128))
    with tempfile.TemporaryDirectory() as scratch:
        lines = _measured(options, case, options.output or Path(scratch))
    precision = precision_of(Encoder(device=options.device))
    lines += [
        "",
        f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}; {time.monotonic() - started:.0f} s, less what was there already.",
        machine(options.device, precision),
        "",
        f"Command: `python benchmarks/train.py DATA/{options.data.name}{_told(options)}`",
    ]
    text = "\n".join(lines)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"train_{case.corpus.name}.md").write_text(text + "\n", encoding="utf-8")


def _measured(options: argparse.Namespace, case: Case, root: Path) -> list[str]:
    """Makes the rows of all arms, trains on them, and returns the lines of the tables."""
    small = options.device == "cpu"
    whole = read_beir(options.data)
    parts = split(whole, components(whole, case.corpus.content, case.corpus.parent), test=0.25, validation=0.1)
    rows = options.rows or (CPU_ROWS if small else len(parts.training.queries) * 2 // 3)
    asked = _asked(parts.test, options.asked or (CPU_ASKED if small else len(parts.test.queries)))
    documents = parts.test.documents if small else whole.documents
    encoder = {"max_tokens": case.length, "device": options.device}
    precision = precision_of(Encoder(device=options.device))
    settings = Settings(rows, negatives=NEGATIVES, length=case.length, bfloat16=precision == "bfloat16")
    data = imperfect(parts.training, 2 * rows, SWAPPED)
    made = arm_rows(data, Workshop(root, case.corpus, encoder), Judges(options.error, options.error / 2))
    draws = [drawn(made, rows, seed) for seed in range(1, options.seeds + 1)]
    plan = [Planned(arm, seed, each.rows) for seed, arms in enumerate(draws, 1) for arm, each in arms.items()]
    trials = run_trials(Task(documents, asked, settings, options.device), plan, root / "trials")
    component = [parts.component[min(asked.positives[each])] for each in sorted(asked.positives)]
    return [
        f"# Which negatives train best: {options.data.name}",
        "",
        *_described(data, draws, settings, options.error),
        f"- Asked: {len(asked.queries):,} held-out queries over {len(documents):,} documents.",
        "",
        *composition(draws, labels_of(data.whole, case.corpus.content), trials, ARMS),
        "",
        *comparisons(trials, component),
        "",
        *tables(sorted(trials, key=lambda each: _order(each.arm)), component, {arm: arm for arm in ARMS}),
    ]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a BEIR folder with labels")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    parser.add_argument("--rows", type=int, help="rows per training, in batches of 32")
    parser.add_argument("--asked", type=int, help="at most so many test queries")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--error", type=float, default=0.05, help="the first judge's; the second's is half of it")
    parser.add_argument("--output", type=Path, help="keep what is mined and measured here, and go on from it")
    return parser.parse_args(arguments)


def _told(options: argparse.Namespace) -> str:
    told = {"device": options.device, "rows": options.rows, "asked": options.asked}
    told |= {"seeds": options.seeds, "error": options.error}
    defaults = {"device": "cpu", "rows": None, "asked": None, "seeds": 3, "error": 0.05}
    return "".join(f" --{name} {value}" for name, value in told.items() if value != defaults[name])


def _asked(test: Labelled, number: int) -> Labelled:
    chosen = sorted(test.positives, key=fraction)[:number]
    return dataclasses.replace(
        test,
        queries={each: test.queries[each] for each in chosen},
        positives={each: test.positives[each] for each in chosen},
    )


def _order(arm: str | None) -> int:
    return -1 if arm is None else list(ARMS).index(arm)


def _described(data: Imperfect, draws: Sequence[dict[str, Drawn]], settings: Settings, error: float) -> list[str]:
    queries = data.whole.positives
    several = sum(len(found) > 1 for found in queries.values())
    rows = len(draws[0]["none"].rows)
    given = (
        f"- Given: {len(queries):,} training queries, {several:,} of them with several positives, of which one is "
        f"shown; {len(data.swapped.wrong):,} with a wrong document as positive. {len(data.whole.documents):,} "
        "documents to mine."
    )
    judged = (
        f"- Judges: answers from all labels, wrong for {error:.1%} of the verdicts; the cascade's second judge for "
        f"{error / 2:.2%}. They are shown 20 candidates and the given positive."
    )
    how = (
        f"- Training: {rows} rows, one per anchor, {rows // settings.batch} steps of InfoNCE in batches of "
        f"{settings.batch} over in-batch positives and {settings.negatives} negatives of each row; AdamW, learning "
        f"rate {settings.rate:g}, temperature {settings.temperature:g}, texts cut at {settings.length} tokens. The "
        "same anchors in the same batches in all arms, but for those that an arm has no row for (replaced). Settings "
        "are those of `train_minilm.py`; none was chosen on these queries."
    )
    spread = (
        "- Standard deviation: over seeds, which draw rows and order. 95 % by queries: mean of the seeds, components "
        "of queries drawn anew. A difference of arms is taken query by query and seed by seed."
    )
    return [given, judged, how, *(f"- `{arm}`: {told}." for arm, told in ARMS.items()), spread]


if __name__ == "__main__":
    main(sys.argv[1:])
