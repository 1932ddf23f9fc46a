"""Equal queries: within (dataset, instruction, split) they are one query; across splits the train one goes."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from oreline.filters.judged import JudgedQuery, stays_first
from oreline.filters.pairs import collapse

TRAIN = "train"


@dataclass(frozen=True)
class Merging:
    """What became of some queries: those that stay, (id, keeper) of merged ones, (query, evaluation query) of leaks."""

    kept: list[JudgedQuery] = field(default_factory=list)
    merged: list[tuple[str, str]] = field(default_factory=list)
    leaked: list[tuple[JudgedQuery, JudgedQuery]] = field(default_factory=list)


def scope_of(judged: JudgedQuery) -> tuple[str, str | None, str]:
    """Returns what equal queries share whatever their split: dataset, instruction and normal form."""
    query = judged.query
    return query.dataset, query.instruction, query.query_hash


def merge_equal(queries: Iterable[JudgedQuery]) -> Merging:
    """Merges equal queries; the keeper gets all their pairs, a positive label before a partial before a negative one.

    Human queries stay before synthetic before extractive ones, then the smallest id. A query of split `train` that
    equals one of another split is leaked, together with all that would have been merged with it.
    """
    scopes: dict[tuple[str, str | None, str], dict[str, list[JudgedQuery]]] = {}
    for judged in queries:
        scopes.setdefault(scope_of(judged), {}).setdefault(judged.query.split, []).append(judged)
    result = Merging()
    for by_split in scopes.values():
        for split in sorted(by_split):
            group = sorted(by_split[split], key=lambda each: stays_first(each.query))
            elsewhere = [each for other, those in by_split.items() if other != TRAIN for each in those]
            if split == TRAIN and elsewhere:
                first = min(elsewhere, key=lambda each: stays_first(each.query))
                result.leaked.extend((judged, first) for judged in group)
            else:
                result.kept.append(_merged(group))
                result.merged.extend((each.query.query_id, group[0].query.query_id) for each in group[1:])
    return result


def _merged(group: list[JudgedQuery]) -> JudgedQuery:
    keeper = group[0].query
    pairs = (replace(pair, query_id=keeper.query_id) for judged in group for pair in judged.pairs)
    return JudgedQuery(keeper, tuple(collapse(pairs)))
