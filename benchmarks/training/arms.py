"""The arms of the comparison of negatives: the same corpus and queries, mined and judged in different ways."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import oreline
from evidence.label_judge import LabelJudge
from oreline.encoders.rendering import plain_document
from oreline.ids import seeded_fraction
from oreline.records import Content, TaskType

from gemini_server import GeminiServer
from training.heldout import write_beir
from training.imperfect import Imperfect
from training.rows import Row, exported_rows, without_negatives

NEGATIVES = 2
"""Negatives per row."""


@dataclass(frozen=True)
class Corpus:
    """What a recipe must know of a corpus."""

    name: str
    content: Content
    task_type: TaskType
    parent: str | None


@dataclass(frozen=True)
class Mined:
    """Rows as oreline makes them: by which rule, and whether judged."""

    select: Mapping[str, object]
    judge: Literal["none", "one", "cascade"] = "none"


_BARE = {"near_equal": None, "siblings": "allow", "negatives": NEGATIVES}
_HARDEST = {**_BARE, "window": [1, NEGATIVES], "pick": "hardest"}
_RELABELLED = {
    **_BARE,
    "ceiling": "none",
    "window": [1, 20],
    "pick": "lowest_ranked",
    "relabel": {"human": "best"},
}
MINED = {
    "hardest": Mined({**_HARDEST, "ceiling": "none"}),
    "95 %": Mined({**_HARDEST, "ceiling": {"percent_of_positive": 0.95}}),
    "relabelled, lowest-ranked": Mined(_RELABELLED, "one"),
    "cascade, lowest-ranked": Mined(_RELABELLED, "cascade"),
}
ARMS = {
    "none": "the given positive, no negatives",
    "random": f"the given positive, {NEGATIVES} documents of the corpus at random",
    "hardest": f"the given positive, the {NEGATIVES} nearest documents",
    "95 %": f"the given positive, the {NEGATIVES} nearest that score below 95 % of it (NV-Retriever)",
    "relabelled, none": "the best-judged of 20 neighbours and the given positive becomes the positive, no negatives",
    "relabelled, lowest-ranked": f"so, and the {NEGATIVES} neighbours ranked lowest are the negatives (Gecko)",
    "cascade, lowest-ranked": "so, and a second judge is asked about what the first flags (the cascade of RLHN)",
}


@dataclass(frozen=True)
class Judges:
    """How often the first judge errs, and the second, which the cascade asks."""

    first: float
    second: float


@dataclass(frozen=True)
class Workshop:
    """Where rows are made, of what corpus, and by which encoder (the recipe's section)."""

    root: Path
    corpus: Corpus
    encoder: Mapping[str, object]


def arm_rows(data: Imperfect, workshop: Workshop, judges: Judges) -> dict[str, Sequence[Row]]:
    """Returns the rows of each arm; oreline runs in the workshop and sees nothing but the training part as given.

    Every arm of a row without a judge starts from the same vectors and candidates, and both that are judged from the
    same answers.
    """
    if not (workshop.root / "source").exists():
        write_beir(data.swapped.given, workshop.root / "source")
    found: dict[str, Sequence[Row]] = {}
    for arm, mined in MINED.items():
        found[arm] = _mine(data, workshop, mined, judges)
    pairs = without_negatives(found["hardest"])
    found["none"] = pairs
    found["random"] = with_random_negatives(pairs, data)
    found["relabelled, none"] = without_negatives(found["relabelled, lowest-ranked"])
    return {arm: found[arm] for arm in ARMS}


def with_random_negatives(rows: Sequence[Row], data: Imperfect) -> list[Row]:
    """Returns the rows with documents of the training part as negatives, drawn by sha256; never their own positive."""
    texts = [plain_document(*data.whole.documents[doc_id]) for doc_id in sorted(data.whole.documents)]
    made = []
    for row in rows:
        drawn: list[str] = []
        turn = 0
        while len(drawn) < NEGATIVES:
            text = texts[int(seeded_fraction(0, "random", row.anchor, str(turn)) * len(texts))]
            turn += 1
            if text not in (row.positive, row.anchor, *drawn):
                drawn.append(text)
        made.append(Row(row.anchor, row.positive, tuple(drawn)))
    return made


def _mine(data: Imperfect, workshop: Workshop, mined: Mined, judges: Judges) -> list[Row]:
    root, corpus = workshop.root, workshop.corpus
    first, second = f"judge-{judges.first}", f"second-{judges.second}"
    judge = LabelJudge(data.whole, {first: judges.first, second: judges.second})
    source: dict[str, object] = {"path": str(root / "source"), "format": "beir", "dataset": corpus.name}
    source |= {"content": corpus.content, "task_type": corpus.task_type}
    with GeminiServer(canned=judge.answer) as server:
        os.environ["GEMINI_API_KEY"] = server.key
        price = {"input": 0.1, "output": 0.4}
        model = {"base_url": server.url, "server": "labels", "budget_usd": 1000.0, "price": price}
        recipe: dict[str, object] = {
            "output": str(root / "out"),
            "cache": str(root / "cache"),
            "sources": [source | ({"parent": corpus.parent} if corpus.parent else {})],
            "dedup": {"enabled": False},  # a document of equal text could stand for a swapped one
            "encoder": dict(workshop.encoder),
            "synthesize": {"enabled": False},
            "select": dict(mined.select),
            "export": {"positives": "first"},
        }
        if mined.judge != "none":
            recipe["llm"] = {**model, "model": first}
        if mined.judge == "cascade":
            recipe["judge"] = {"cascade": {"llm": {**model, "model": second}}}
        oreline.run(recipe)
    return exported_rows(root / "out")
