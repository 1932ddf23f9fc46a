"""Adversarial worlds for selection: small tables in which everything that can collide does."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from oreline.job import Job
from oreline.normalise import content_hash, query_hash, text_hash
from oreline.recipe.settings import Recipe
from oreline.records import Candidate, Content, Document, Hit, Judgement, Pair, PoolEntry, Query, Scored

from house import finish, recipe_for

LONG = "the gate opens at nine in the morning and closes at six in the evening on every day of the week"
TEXTS = (
    "how to open a gate",
    "Gate, open!",
    LONG,
    LONG + " but sunday",
    LONG.replace("gate", "door"),
    "close the door when you leave the house after dark",
    "set -e",
)
RELATIONS = ("copy", "retitled", "longer", "group", "sibling", "child", "derived", "derived")
QUERIES = ("How to open a gate", "how  to OPEN a gate", "what closes at six", "set -e")
SCORES = (0.0, 0.1, -0.1, 0.475, 0.3, 0.5, 0.51, -0.2, 0.9, 1.0)
POSITIVE_SCORES = (0.95, 0.95, 1.0, 0.5, 0.51, 0.0, -0.1)
Scores = dict[tuple[str, str], float]


@dataclass(frozen=True)
class World:
    """The raw tables, and the similarity that mining would have computed from vectors.

    `careful` says whether mining left out what the design says it leaves out; if not, its pools hold everything.
    """

    documents: list[Document]
    queries: list[Query]
    pairs: list[Pair]
    candidates: list[Candidate]
    judgements: list[Judgement] | None
    scores: Scores
    sections: dict[str, object]
    careful: bool

    def recipe(self, output: Path) -> Recipe:
        """Returns the world's recipe."""
        return recipe_for(output, **self.sections)

    def write(self, output: Path) -> Job:
        """Writes the tables as if the earlier stages had run, and returns the job of select."""
        recipe = self.recipe(output)
        inputs = {"documents": "ingest", "queries": "ingest", "pairs": "ingest"}
        finish(recipe, "ingest", {"documents": self.documents, "queries": self.queries, "pairs": self.pairs})
        if recipe.select.negatives:
            finish(recipe, "mine", {"candidates": self.candidates})
            inputs["candidates"] = "mine"
            if self.judgements is not None:
                finish(recipe, "judge", {"judgements": self.judgements})
                inputs["judgements"] = "judge"
        return Job(recipe.output, "select", recipe, inputs)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draws a world with every setting of select."""
    documents: list[Document] = []
    for _ in range(draw(st.sampled_from((14, 10, 18, 12, 16, 8, 5, 3, 2, 1)))):
        documents.append(_document(draw, documents))
    queries = [_query(draw, place) for place in range(draw(st.integers(1, 4)))]
    pairs = [pair for query in queries for pair in _pairs(draw, query, documents)]
    scores = _scores(draw, queries, documents, pairs)
    judged = draw(st.booleans())
    sections = _sections(draw, judged=judged)
    careful = draw(st.booleans())
    mine = recipe_for(Path("unused"), **sections)
    second = draw(st.booleans())
    candidates = [
        mine_query(mine, query, documents, pairs, scores, careful=careful, second=second)
        for query in queries
        if draw(st.sampled_from((*[True] * 12, False)))
    ]
    judgements = _judgements(draw, queries, documents) if judged else None
    return World(documents, queries, pairs, candidates, judgements, scores, sections, careful)


def _scores(draw: st.DrawFn, queries: Sequence[Query], documents: Sequence[Document], pairs: Sequence[Pair]) -> Scores:
    """Draws similarities from few values, so that ties are common; positives stand ahead more often than not."""
    grid = draw(st.lists(st.sampled_from(SCORES), min_size=8, max_size=24))
    keys = [(query.query_id, document.doc_id) for query in queries for document in documents]
    offset = draw(st.integers(1, 7))
    scores = {key: grid[(place * offset + place // 5) % len(grid)] for place, key in enumerate(keys)}
    ahead = {(pair.query_id, pair.doc_id) for pair in pairs if pair.label == "positive"} & set(scores)
    return scores | {key: draw(st.sampled_from(POSITIVE_SCORES)) for key in sorted(ahead)}


def _document(draw: st.DrawFn, earlier: Sequence[Document]) -> Document:
    """Draws a document; more than half are related to one of the first four, from which most positives come."""
    place = len(earlier)
    own = f"the notice numbered {place} says {place} times that nobody may pass the {place} hills"
    relation = draw(st.sampled_from(("none", "none", "none", "text", *RELATIONS))) if earlier else "none"
    target = draw(st.sampled_from(earlier[:4])) if earlier else None
    text, title, group, parent = own, draw(st.sampled_from((None, None, "Gates"))), None, None
    if relation == "text":
        text = draw(st.sampled_from(TEXTS))
    if target is not None:
        match relation:
            case "copy":
                text, title = target.text, target.title
            case "retitled":
                text, title = target.text, "Doors"
            case "longer":
                text = target.text + " again"
            case "group":
                group = target.group
            case "sibling":
                parent = target.parent_id
            case "child" | "derived":
                parent = target.doc_id
    content: Content = "code" if text == "set -e" else "text"
    return Document(
        doc_id=f"d/{place}",
        dataset=draw(st.sampled_from((*["d"] * 9, "e"))),
        text=text,
        title=title,
        content=content,
        content_hash=content_hash(title, text, content),
        text_hash=text_hash(text, content),
        parent_id=parent or (draw(st.sampled_from((None, "d/page"))) if place < 4 else None),
        group=group or (draw(st.sampled_from((None, "g"))) if place < 4 else None),
        origin="generated" if relation == "derived" else "source",
        searchable=relation != "derived",
    )


def _query(draw: st.DrawFn, place: int) -> Query:
    text = draw(st.sampled_from(QUERIES))
    return Query(
        query_id=f"d/q{place}",
        dataset=draw(st.sampled_from(("d", "d", "d", "d", "d", "e"))),
        query=text,
        query_hash=query_hash(text),
        instruction=draw(st.sampled_from((None, "find help"))),
        split=draw(st.sampled_from(("train", "test"))),
        origin=draw(st.sampled_from(("human", "synthetic", "synthetic", "extractive"))),
    )


def _pairs(draw: st.DrawFn, query: Query, documents: Sequence[Document]) -> list[Pair]:
    every = [document.doc_id for document in documents]
    ids = st.sampled_from([*every, "d/gone"])
    few = st.sampled_from([*every[:4], *every[:4], *every, "d/gone"])
    found = [
        Pair(query.query_id, draw(few), "positive", draw(st.sampled_from(("human", "seed", "generated"))))
        for _ in range(draw(st.sampled_from((1, 1, 1, 1, 2, 2, 2, 3, 3, 0))))
    ]
    found += [
        Pair(query.query_id, draw(ids), "negative", "human", 0.0)
        for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2, 3))))
    ]
    found += [Pair(query.query_id, draw(ids), "partial", "human", 0.5) for _ in range(draw(st.sampled_from((0, 0, 1))))]
    return found


def _ceiling(draw: st.DrawFn) -> object:
    return draw(
        st.sampled_from(
            (
                {"percent_of_positive": 0.95},
                "none",
                {"percent_of_positive": 0.5},
                {"percent_of_positive": 0.95},
                {"margin": 0.0},
                {"margin": 0.3},
                {"score": 0.5},
                {"score": -0.1},
            )
        )
    )


def _sections(draw: st.DrawFn, *, judged: bool) -> dict[str, object]:
    first = draw(st.sampled_from((1, 1, 1, 2, 3)))
    policies = st.sampled_from(("keep", "best", "add"))
    picks = ("hardest", "random", "lowest_ranked") if judged else ("hardest", "random")
    actions = ("drop_negative", "drop_negative", "drop_row")
    select = {
        "gates": {
            "round_trip": {
                "rank": draw(st.sampled_from((4, 3, 2, 1))),
                "action": draw(st.sampled_from(("annotate", "off", "annotate", "off", "drop"))),
            },
            "positive_grade": draw(st.sampled_from((0, 1, 2, 2, 3))),
        },
        "relabel": {"synthetic": draw(policies), "human": draw(policies), "extractive": draw(policies)},
        "ceiling": _ceiling(draw),
        "window": [first, first + draw(st.sampled_from((9, 5, 3, 2, 1, 0)))],
        "pick": draw(st.sampled_from(picks)),
        "negatives": draw(st.sampled_from((2, 1, 3, 4, 5, 6, 0))),
        "near_equal": draw(st.sampled_from((None, 0.95, None, 0.6, 1.0, 0.0))),
        "siblings": draw(st.sampled_from(("allow", "judge", "exclude", "allow"))),
        "false_negatives": {
            "action": draw(st.sampled_from(actions)) if judged else "drop_negative",
            "most": draw(st.sampled_from((None, 7, 2, None, 1, 0))),
            "given": draw(st.booleans()),
            "except_datasets": draw(st.sampled_from(([], [], [], ["d"], ["e"]))),
        },
        "per_miner": draw(st.sampled_from((None, None, {"duplicates": "drop"}, {"duplicates": "keep"}))),
        "shortage": draw(st.sampled_from(("keep", "keep", "keep", "keep", "drop"))),
    }
    mine = {
        "top_k": draw(st.sampled_from((14, 30, 8, 5, 3, 1))),
        "spare": draw(st.integers(0, 5)),
        "ceiling": _ceiling(draw),
    }
    return {"select": select, "mine": mine, "seed": draw(st.integers(0, 3))}


def _judgements(draw: st.DrawFn, queries: Sequence[Query], documents: Sequence[Document]) -> list[Judgement]:
    verdicts = ("irrelevant", "partly_relevant", "relevant", "relevant")
    found: list[Judgement] = []
    second = draw(st.booleans())
    for query in queries:
        grades = draw(st.lists(st.sampled_from((0, None, 0, 0, 3, 2, 1, None)), min_size=1, max_size=12))
        for place, document in enumerate(documents):
            grade = grades[place % len(grades)]
            if grade is not None:
                found.append(
                    Judgement(query.query_id, document.doc_id, "listwise", float(grade), verdict=verdicts[grade])
                )
            if second and place % 2:
                found.append(Judgement(query.query_id, document.doc_id, "likelihood", -float(place % 3)))
    return found


def _lexical(query: Query, document: Document) -> str:
    """A second miner's order, unlike that of the scores."""
    return hashlib.sha256(f"{query.query_id} {document.doc_id}".encode()).hexdigest()


def mine_query(
    recipe: Recipe,
    query: Query,
    documents: Sequence[Document],
    pairs: Sequence[Pair],
    scores: Scores,
    *,
    careful: bool,
    second: bool = False,
) -> Candidate:
    """Mines one query by brute force; a careless miner leaves nothing out of its pools, a second one may help."""
    positives = {pair.doc_id for pair in pairs if pair.query_id == query.query_id and pair.label == "positive"}
    known = {pair.doc_id for pair in pairs if pair.query_id == query.query_id and pair.label == "negative"}
    by_id = {document.doc_id: document for document in documents}
    ordered = sorted(documents, key=lambda document: (-scores[query.query_id, document.doc_id], document.doc_id))
    searched = [document for document in ordered if document.searchable and document.dataset == query.dataset]

    def scored(doc_id: str) -> Scored:
        score = scores[query.query_id, doc_id]
        key = (-score, doc_id)
        ahead = [
            each.doc_id
            for each in searched
            if each.doc_id not in positives and (-scores[query.query_id, each.doc_id], each.doc_id) < key
        ]
        return Scored(doc_id, 1 + len(ahead), score)

    rows = [by_id[doc_id] for doc_id in sorted(positives) if doc_id in by_id]
    pool = [each for each in searched if not (careful and each.doc_id in positives)]
    top = pool[: recipe.mine.top_k]
    parents = {each.parent_id for each in rows} - {None}
    low = min((scores[query.query_id, each.doc_id] for each in rows), default=None)
    limit = restated_ceiling(recipe.mine.ceiling, low)
    spare = [
        each
        for each in pool
        if each.parent_id not in parents and (limit is None or scores[query.query_id, each.doc_id] < limit)
    ][: recipe.mine.spare]
    others = sorted(pool, key=lambda each: _lexical(query, each))[: recipe.mine.top_k // 2] if second else []
    hits: dict[str, list[Hit]] = {each.doc_id: [] for each in spare}
    for miner, listed in (("dense", top), ("bm25", others)):
        for rank, each in enumerate(listed, start=1):
            hits.setdefault(each.doc_id, []).append(Hit(miner, rank, scores[query.query_id, each.doc_id]))
    entries = [PoolEntry(doc_id, scores[query.query_id, doc_id], found) for doc_id, found in hits.items()]
    return Candidate(
        query.query_id,
        [scored(each.doc_id) for each in rows],
        [scored(doc_id) for doc_id in sorted(known) if doc_id in by_id],
        sorted(entries, key=lambda entry: (-entry.score, entry.doc_id)),
    )


def restated_ceiling(settings: object, lowest: float | None) -> float | None:
    """Returns a ceiling by the design's words, from the recipe's section as JSON or as settings."""
    keys = settings if isinstance(settings, (dict, str)) else settings.model_dump()  # type: ignore[attr-defined] # pydantic
    if keys == "none" or not isinstance(keys, dict):
        return None
    if "score" in keys:
        return float(keys["score"])
    if lowest is None:
        return None
    if "margin" in keys:
        return lowest - float(keys["margin"])
    return lowest - (1 - float(keys["percent_of_positive"])) * abs(lowest)
