"""Which rows are made, and which negatives they get."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Count, CountOrZero, Settings, Share
from oreline.recipe.settings.ceiling import Ceiling, PercentCeiling


class RoundTrip(Settings):
    """A positive should be found again by its own query (Promptagator)."""

    rank: Count = 20
    """Largest rank of a positive that passes."""
    action: Literal["annotate", "drop", "off"] = "annotate"
    """What happens to a query whose best positive fails."""


class ScoreQuantile(Settings):
    """Rows go whose best positive scores lowest among the rows of its source: dataset, origin and writer.

    A share instead of a fixed score, as similarities of different encoders and corpora do not compare.
    """

    below: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """Share of a source's rows that go, at most; rows of equal score go or stay together."""
    human: bool = False
    """Whether rows of human queries may go too."""


class Gates(Settings):
    """What a query must pass."""

    round_trip: RoundTrip = RoundTrip()
    """By exact rank."""
    positive_grade: Annotated[int, Field(ge=0, le=3)] = 2
    """Least grade of a positive, where a judge graded it."""
    score_quantile: ScoreQuantile | None = None
    """By the score of the positive within its source; null: no row goes."""


class Relabel(Settings):
    """What a judge's verdicts may do to positives, by the query's origin."""

    synthetic: Literal["best", "add", "keep"] = "best"
    """best: the best-judged document becomes the positive; add: relevant ones join; keep: nothing."""
    human: Literal["best", "add", "keep"] = "keep"
    """As above, for human queries."""
    extractive: Literal["best", "add", "keep"] = "keep"
    """As above, for extractive ones."""


class FalseNegatives(Settings):
    """Documents beside the positives that a judge finds relevant; they are negatives under no setting (RLHN).

    To make them further positives, say so by origin: `select.relabel`, `add`.
    """

    action: Literal["drop_negative", "drop_row"] = "drop_negative"
    """drop_negative: they are left out; drop_row: the row goes if relabelling leaves one out."""
    most: CountOrZero | None = 7
    """More of them drop the row, whether relabelled or not; null: no number does."""
    given: bool = False
    """Whether given negatives that a judge finds relevant are such documents too, as where an existing set is
    cleaned; else they are left out, and believed to be no positives."""
    except_datasets: list[str] = Field(default=[])
    """Datasets whose rows are made as if no judge had run, such as ArguAna: what answers there is the opposite."""


class PerMiner(Settings):
    """Each miner gives its share of the negatives from its own list: the window and the pick are taken in each."""

    duplicates: Literal["drop", "keep"] = "drop"
    """keep: a document that several miners give stands in the row as often, which weights it (NV-Retriever)."""


class NearQueries(Settings):
    """Selected rows whose queries mean nearly the same, by the vectors of the store.

    Rows go after negatives are picked: of a row that goes, a positive may be a negative of the row that stays for it,
    unless a judge, the ceiling or another rule keeps it out.
    """

    cosine: Annotated[float, Field(gt=0.0, le=1.0)] = 0.98
    """Cosine of two queries' vectors from which only one of their rows stays."""
    human: bool = False
    """Whether rows of human queries may go too."""


class Select(Settings):
    """Which rows are made, and which negatives they get."""

    gates: Gates = Gates()
    """What a query must pass: round trip and grade."""
    relabel: Relabel = Relabel()
    """What verdicts do to positives."""
    ceiling: Ceiling = PercentCeiling()
    """What a negative must score less than."""
    window: list[Count] = Field(default=[1, 10], min_length=2, max_length=2)
    """First and last eligible rank that is picked from."""
    pick: Literal["hardest", "random", "lowest_ranked"] = "random"
    """Which of the window; lowest_ranked needs judged candidates."""
    negatives: CountOrZero = 4
    """Negatives per row; 0 makes pairs and skips embed, mine and judge."""
    near_equal: Share | None = 0.95
    """Word-5-gram Jaccard with a positive from which a document is no negative; null switches the rule off."""
    siblings: Literal["judge", "exclude", "allow"] = "judge"
    """Other chunks of a positive's parent; `judge`: eligible only if a judge found them irrelevant."""
    false_negatives: FalseNegatives = FalseNegatives()
    """What happens where a judge finds further documents relevant."""
    per_miner: PerMiner | None = None
    """Whether each miner gives its share of the negatives; null: one list, by the reference score."""
    near_queries: NearQueries | None = None
    """Of rows whose queries are near by cosine, within dataset, instruction and split, one stays; null: all do."""
    shortage: Literal["keep", "drop"] = "keep"
    """What happens to rows with fewer negatives than asked for."""
