"""Rows of two outputs side by side, by query: positives, negatives, how hard they are."""

from dataclasses import dataclass

import polars as pl

from oreline.ids import Json
from oreline.tables.reading import read

_SUMS = {
    "rows": pl.len(),
    "positives": pl.col("positives").list.len().mean(),
    "negatives": pl.col("negatives").list.len().mean(),
    "short": pl.col("short").is_not_null().mean(),
    "relabelled": pl.col("relabelled").mean(),
    "positive_score": pl.col("lowest").mean(),
    "score": pl.col("scores").explode().mean(),
    "gap": (pl.col("lowest") - pl.col("scores").list.mean()).mean(),
    "of_positive": (pl.col("scores").list.mean() / pl.col("lowest")).filter(pl.col("lowest") > 0).mean(),
    "rank": pl.col("ranks").explode().mean(),
}


@dataclass(frozen=True)
class Hardness:
    """Means over an output's rows: positives and negatives per row, shares of short and relabelled rows, scores.

    `score` is that of negatives, `gap` what the lowest positive scores more, `of_positive` the share of its score,
    `rank` the rank in the miner's list.
    """

    rows: int
    positives: float | None
    negatives: float | None
    short: float | None
    relabelled: float | None
    positive_score: float | None
    score: float | None
    gap: float | None
    of_positive: float | None
    rank: float | None


@dataclass(frozen=True)
class Changes:
    """How many rows of a dataset (`None`: of all) changed; `both` are those that both outputs have.

    `positives` and `negatives` count rows of both whose sets differ, `kept_negatives` is the share of OLD's negatives
    in rows of both that NEW still has.
    """

    dataset: str | None
    only_old: int
    only_new: int
    both: int
    positives: int
    negatives: int
    kept_negatives: float | None

    def to_json(self) -> dict[str, Json]:
        """Returns the numbers under their names."""
        return dict(vars(self))


def rows_of(output: str) -> pl.DataFrame:
    """Returns the rows of an output's triples, one per query.

    Columns: query_id, dataset, short, relabelled, positives and negatives (sorted ids), scores and ranks of negatives,
    lowest (score of a positive). Raises BrokenTable if select has not finished or a part is damaged.
    """
    element = pl.element().struct
    frame = read(f"{output}/select/triples").select(
        "query_id",
        "dataset",
        "short",
        pl.col("positives").list.eval(element.field("source") == "relabel").list.any().alias("relabelled"),
        pl.col("positives").list.eval(element.field("doc_id")).list.sort(),
        pl.col("negatives").list.eval(element.field("doc_id")).list.sort(),
        pl.col("negatives").list.eval(element.field("score")).alias("scores"),
        pl.col("negatives").list.eval(element.field("rank")).alias("ranks"),
        pl.col("positives").list.eval(element.field("score")).list.min().alias("lowest"),
    )
    return frame.collect()


def hardness(rows: pl.DataFrame) -> Hardness:
    """Returns the means of an output's rows."""
    (found,) = rows.select(**_SUMS).to_dicts()
    return Hardness(**found)


def side_by_side(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Returns all queries of both outputs: the columns of OLD, those of NEW with `_new`, and what changed."""
    joined = old.join(new, on="query_id", how="full", coalesce=True, suffix="_new")
    both = pl.col("dataset").is_not_null() & pl.col("dataset_new").is_not_null()
    return joined.with_columns(
        pl.coalesce("dataset", "dataset_new").alias("dataset"),
        pl.col("dataset").is_null().alias("only_new"),
        pl.col("dataset_new").is_null().alias("only_old"),
        (both & (pl.col("positives") != pl.col("positives_new"))).alias("positives_changed"),
        (both & (pl.col("negatives") != pl.col("negatives_new"))).alias("negatives_changed"),
        pl.when(both).then(pl.col("negatives").list.set_intersection("negatives_new").list.len()).alias("kept"),
        pl.when(both).then(pl.col("negatives").list.n_unique()).alias("before"),
    ).sort("query_id")


def changes(joined: pl.DataFrame) -> list[Changes]:
    """Returns what changed: in all, then by dataset if there are several, largest first."""
    datasets = joined["dataset"].value_counts(name="rows").sort(["rows", "dataset"], descending=[True, False])
    names = datasets["dataset"].to_list()
    parts = [_changes(None, joined)]
    if len(names) > 1:
        parts += [_changes(name, joined.filter(pl.col("dataset") == name)) for name in names]
    return parts


def _changes(dataset: str | None, joined: pl.DataFrame) -> Changes:
    kept, before = (int(joined[name].sum()) for name in ("kept", "before"))
    only_old, only_new = int(joined["only_old"].sum()), int(joined["only_new"].sum())
    return Changes(
        dataset,
        only_old,
        only_new,
        len(joined) - only_old - only_new,
        int(joined["positives_changed"].sum()),
        int(joined["negatives_changed"].sum()),
        kept / before if before else None,
    )
