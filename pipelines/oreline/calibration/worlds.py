"""Worlds: what the recipe's other rules leave of the stored candidates, and what is known of each of them."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from oreline.calibration.labels import read_labels
from oreline.calibration.lanes import Lane
from oreline.calibration.pools import Bool, Int8, Int64, Pools, Tables, lowest_of, only, places_in, read_pools
from oreline.calibration.yields import World
from oreline.errors import CallError
from oreline.recipe.settings import Recipe
from oreline.recipe.settings.judge import STRONG

Source = Literal["verdicts", "labels"]
_STRONGER = 10
"""Added to the code of a strong judge's verdict, so that it counts before all others."""

_CODES = {"irrelevant": 0, "partly_relevant": 1, "relevant": 2}


@dataclass(frozen=True)
class Stored:
    """The stored candidates of an output, with what is known of them.

    `verdict` (N) is 2 relevant, 1 partly, 0 irrelevant, -1 unknown, said by `source`; None if nobody says anything.
    `sibling` (N) marks siblings of positives that the recipe keeps out. `queries` counts those that mine knows,
    `without_row` those of them left out here because select drops them for another reason than a short row.
    """

    pools: Pools
    world: World
    verdict: Int8
    sibling: Bool
    source: Source | None
    queries: int
    without_row: int


def read_stored(tables: Tables, recipe: Recipe, labels: str | None = None) -> Stored:
    """Reads what calibration needs of an output.

    A judge's verdicts act as in select: judged outputs leave only documents found irrelevant, but for queries with a
    class and of datasets in `select.false_negatives.except_datasets`, for which no judge counts; positives are those
    of the rows of select, relabelled ones too. Labels only count, they rule nothing out. Near-equal texts are not
    looked at.

    Raises CallError if there are no candidates, or if the labels name none of the queries.
    """
    judged = "judgements" in tables.inputs
    families = _families(tables) if recipe.select.siblings != "allow" else None
    ids = families is not None or judged or labels is not None
    pools = read_pools(tables, ids=ids)
    queries = len(pools.query_ids)
    labelled = _with_rows(tables, pools)
    pools = _with_positives_of_rows(tables, labelled) if judged else labelled
    said = np.full(len(pools.score), -1, np.int8)
    acting = _acting(tables, recipe, pools)[pools.owner] if judged else np.zeros(len(said), np.bool_)
    if judged:
        said = np.where(acting, _verdicts(tables, pools), said)
    sibling = _siblings(pools, families) if families is not None else np.zeros(len(pools.score), np.bool_)
    if recipe.select.siblings == "judge":
        sibling &= said != 0
    known = _labelled(pools, labels) if labels is not None else said
    open_ = ~sibling
    open_lane = Lane.of(pools.starts, pools.score, known if labels is not None or judged else None, open_)
    # What relabelling made a positive was found relevant, so no row takes it.
    eligible_lane = Lane.of(pools.starts, pools.score, known, open_ & ((said == 0) | ~acting)) if judged else open_lane
    negatives = recipe.select.negatives
    needed = np.maximum(negatives - pools.known, 0)
    world = World(eligible_lane, open_lane, pools.lowest, labelled.lowest, needed, negatives)
    source: Source | None = "labels" if labels is not None else "verdicts" if judged else None
    return Stored(pools, world, known, sibling, source, queries, queries - len(pools.query_ids))


def _among(keys: Int64, wanted: Int64) -> Bool:
    if not len(wanted):
        return np.zeros(len(keys), np.bool_)
    ordered = np.sort(wanted)
    found: Bool = ordered[np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)] == keys
    return found


def _families(tables: Tables) -> Int64 | None:
    """Returns a number per document that its siblings, its parent and its chunks share; None if nothing has a parent.

    What was derived from a chunk belongs to the chunk's family.
    """
    blocks = list(tables.iterate("documents", ["doc_id", "parent_id"]))
    if not blocks:
        return None
    rows = pa.concat_tables(blocks).combine_chunks()
    parents = rows.column("parent_id")
    if parents.null_count == rows.num_rows:
        return None
    doc_ids = rows.column("doc_id")
    above = pc.coalesce(parents, doc_ids)
    for _ in range(2):
        place = places_in(above, doc_ids)
        higher = parents.take(pa.array(np.maximum(place, 0)))
        above = pc.if_else(pc.and_(pa.array(place >= 0), pc.is_valid(higher)), higher, above)
    numbers = above.combine_chunks().dictionary_encode().indices
    families: Int64 = numbers.to_numpy(zero_copy_only=False).astype(np.int64)
    return families


def _siblings(pools: Pools, families: Int64) -> Bool:
    width = int(families.max(initial=0)) + 1
    there = pools.positive_document >= 0
    wanted = pools.positive_owner[there] * width + families[pools.positive_document[there]]
    return _among(pools.owner * width + families[pools.document], wanted) & (pools.document >= 0)


def _with_rows(tables: Tables, pools: Pools) -> Pools:
    """Returns the pools of the queries that select makes rows of, or drops only for being short."""
    if "triples" not in tables.inputs:
        return pools
    dropped = _column(tables, "rejects", "row_id", pc.field("reason") != "short_row")
    return only(pools, pc.invert(pc.is_in(pools.query_ids, dropped)).to_numpy(zero_copy_only=False))


def _with_positives_of_rows(tables: Tables, pools: Pools) -> Pools:
    """Returns the pools with the positives of the rows of select, relabelled ones too, where there are rows."""
    if "triples" not in tables.inputs:
        return pools
    blocks = list(tables.iterate("triples", ["query_id", "positives"]))
    if not blocks:
        return pools
    rows = pa.concat_tables(blocks).combine_chunks()
    listed = rows.column("positives").combine_chunks()
    lists = listed.chunk(0) if isinstance(listed, pa.ChunkedArray) else listed
    place = places_in(rows.column("query_id"), pools.query_ids)
    owner = np.repeat(place, pc.list_value_length(lists).to_numpy(zero_copy_only=False))
    structs = lists.flatten()
    document = places_in(structs.field("doc_id"), pools.doc_ids)
    score = structs.field("score").to_numpy(zero_copy_only=False).astype(np.float64)
    kept = (owner >= 0) & np.isfinite(score)
    replaced = np.zeros(len(pools.query_ids), np.bool_)
    replaced[owner[kept]] = True
    stay = ~replaced[pools.positive_owner]
    owners = np.concatenate([pools.positive_owner[stay], owner[kept]])
    scores = np.concatenate([pools.positive_score[stay], score[kept]])
    return replace(
        pools,
        lowest=lowest_of(owners, scores, len(pools.query_ids)),
        positive_owner=owners,
        positive_score=scores,
        positive_document=np.concatenate([pools.positive_document[stay], document[kept]]),
    )


def _column(tables: Tables, table: str, column: str, condition: pc.Expression) -> pa.Array:
    # Rejects are of many stages; those of select stand in its own manifest.
    from oreline.tables.manifest import read_manifest
    from oreline.tables.reading import iterate

    manifest = read_manifest(tables.output, tables.inputs["triples"])
    parts = manifest.tables.get(table, ()) if manifest else ()
    blocks = iterate(tables.output, parts, ["row_id", "reason"])
    found = [rows.filter(condition).column(column).combine_chunks() for rows in blocks]
    chunks = [chunk for each in found for chunk in (each.chunks if isinstance(each, pa.ChunkedArray) else [each])]
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())


def _acting(tables: Tables, recipe: Recipe, pools: Pools) -> Bool:
    """Says for which queries verdicts act (Q), as `selection.blocks` does."""
    without = pa.array(recipe.select.false_negatives.except_datasets, pa.string())
    acting = np.zeros(len(pools.query_ids), np.bool_)
    for rows in tables.iterate("queries", ["query_id", "dataset", "group"]):
        among = pc.and_(pc.is_null(rows.column("group")), pc.invert(pc.is_in(rows.column("dataset"), without)))
        place = places_in(rows.column("query_id").filter(among), pools.query_ids)
        acting[place[place >= 0]] = True
    return acting


def _verdicts(tables: Tables, pools: Pools) -> Int8:
    """Returns the gravest verdict on each candidate (N), a strong judge's before others'; -1 without one."""
    blocks = list(tables.iterate("judgements", ["query_id", "doc_id", "scorer", "verdict"]))
    if not blocks:
        return np.full(len(pools.score), -1, np.int8)
    rows = pl.DataFrame(pl.from_arrow(pa.concat_tables(blocks))).filter(pl.col("verdict").is_in(list(_CODES)))
    codes = rows["verdict"].replace_strict(_CODES, return_dtype=pl.Int8).to_numpy()
    codes = codes + _STRONGER * rows["scorer"].str.ends_with(STRONG).cast(pl.Int8).to_numpy()
    found = _coded(pools, rows["query_id"].to_arrow(), rows["doc_id"].to_arrow(), codes)
    return np.where(found >= _STRONGER, found - _STRONGER, found).astype(np.int8)


def _coded(pools: Pools, queries: pa.Array, documents: pa.Array, codes: Int8) -> Int8:
    """Returns the highest code given to each candidate (N), -1 where none is."""
    query = places_in(queries.cast(pa.string()), pools.query_ids)
    document = places_in(documents.cast(pa.string()), pools.doc_ids)
    there = (query >= 0) & (document >= 0)
    width = len(pools.doc_ids) + 1
    keys, codes = query[there] * width + document[there], codes[there]
    found: Int8 = np.full(len(pools.score), -1, np.int8)
    if not len(keys):
        return found
    order = np.lexsort((codes, keys))
    keys, codes = keys[order], codes[order]
    last = np.append(np.diff(keys) > 0, values=True)
    keys, codes = keys[last], codes[last]
    own = pools.owner * width + pools.document
    place = np.minimum(np.searchsorted(keys, own), len(keys) - 1)
    return np.where(keys[place] == own, codes[place], found)


def _labelled(pools: Pools, path: str) -> Int8:
    """Returns 2 for candidates that the labels call relevant, 0 for the others of such a query, else -1.

    Only queries for which the labels name more than the positives of the row say anything: others have no relevant
    candidate to be found, and would hide how often one is taken.
    """
    labels = read_labels(path)
    queries, documents = _own_ids(labels["query"], pools.query_ids), _own_ids(labels["document"], pools.doc_ids)
    if queries.null_count == len(queries):
        raise CallError(
            f"--labels {path}: none of its queries is among those of this output, which are named like "
            f"{pools.query_ids[0].as_py() if len(pools.query_ids) else 'dataset/id'}"
        )
    relevant = _coded(pools, queries, documents, np.full(len(queries), 2, np.int8))
    query, document = places_in(queries, pools.query_ids), places_in(documents, pools.doc_ids)
    there = (query >= 0) & (document >= 0)
    width = len(pools.doc_ids) + 1
    positives = pools.positive_owner * width + pools.positive_document
    hidden = ~_among(query[there] * width + document[there], positives)
    labelled = np.zeros(len(pools.query_ids), np.bool_)
    labelled[query[there][hidden]] = True
    return np.where(labelled[pools.owner], np.maximum(relevant, 0), -1).astype(np.int8)


def _own_ids(given: pl.Series, ids: pa.Array) -> pa.Array:
    """Returns ids of a labels file as the output has them: as they are, or with a dataset's name before them."""
    known = pl.Series(pl.from_arrow(ids))
    found = given.to_frame("given").with_columns(pl.col("given").alias("own"))
    named = pl.DataFrame({"own": known, "given": known.str.replace("^[^/]*/", "")})
    named = named.sort("own").unique("given", keep="first")
    direct = found.with_columns(pl.when(pl.col("own").is_in(known.implode())).then(pl.col("own")).alias("own"))
    joined = direct.join(named.rename({"own": "named"}), on="given", how="left", maintain_order="left")
    return joined.select(pl.coalesce("own", "named"))["own"].to_arrow().cast(pa.string())
