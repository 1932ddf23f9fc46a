"""Outputs with stored candidates, for the tests of calibration: written as if mine, judge and select had run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from oreline.normalise import content_hash, query_hash, text_hash
from oreline.recipe.loading import dump_recipe
from oreline.recipe.settings import Recipe
from oreline.records import Candidate, Document, Hit, Judgement, Pair, PoolEntry, Query, Scored
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import write_manifest

from house import finish, recipe_for

Pool = Mapping[str, float]


def document(name: str, parent: str | None = None) -> Document:
    text = f"the text of {name} and of nothing else in this valley"
    own_id = f"d/{name}"
    parent_id = None if parent is None else f"d/{parent}"
    return Document(own_id, "d", text, content_hash(None, text, "text"), text_hash(text, "text"), parent_id=parent_id)


def candidate(query: str, positives: Pool, pool: Pool, known: Pool | None = None) -> Candidate:
    ordered = sorted(pool.items(), key=lambda each: (-each[1], each[0]))
    return Candidate(
        f"d/{query}",
        [Scored(f"d/{name}", 1, score) for name, score in positives.items()],
        [Scored(f"d/{name}", 1, score) for name, score in (known or {}).items()],
        [PoolEntry(f"d/{name}", score, [Hit("dense", rank, score)]) for rank, (name, score) in enumerate(ordered, 1)],
    )


def mined(
    output: Path,
    candidates: Sequence[Candidate],
    *,
    parents: Mapping[str, str] | None = None,
    grades: Mapping[tuple[str, str], int] | None = None,
    **sections: object,
) -> Recipe:
    """Writes an output whose recipe has come as far as mine, or judge if there are grades by (query, document)."""
    left_out = {stage: {"enabled": False} for stage in ("dedup", "synthesize", "filter")}
    recipe = recipe_for(output, **left_out, **sections)
    named = {each.doc_id for row in candidates for each in row.pool}
    named |= {each.doc_id for row in candidates for each in [*row.positives, *row.known]}
    documents = [document(name[2:], (parents or {}).get(name[2:])) for name in sorted(named)]
    queries = [
        Query(row.query_id, "d", f"a question of {row.query_id}", query_hash(f"a question of {row.query_id}"))
        for row in candidates
    ]
    pairs = [Pair(row.query_id, each.doc_id, "positive", "human") for row in candidates for each in row.positives]
    pairs += [Pair(row.query_id, each.doc_id, "negative", "human") for row in candidates for each in row.known]
    _finish(recipe, "ingest", {"documents": documents, "queries": queries, "pairs": pairs})
    _finish(recipe, "embed", {"vectors": []})
    _finish(recipe, "mine", {"candidates": candidates})
    if grades is not None:
        verdicts = {3: "relevant", 2: "relevant", 1: "partly_relevant", 0: "irrelevant"}
        rows = [
            Judgement(f"d/{query}", f"d/{name}", "listwise", float(grade), verdicts[grade])
            for (query, name), grade in grades.items()
        ]
        _finish(recipe, "judge", {"judgements": rows})
    (output / "recipe.yaml").write_text(dump_recipe(recipe))
    return recipe


def _finish(recipe: Recipe, stage: str, tables: Mapping[str, Sequence[object]]) -> None:
    manifest = finish(recipe, stage, tables)
    write_manifest(recipe.output, replace(manifest, version=BY_NAME[stage].version))
