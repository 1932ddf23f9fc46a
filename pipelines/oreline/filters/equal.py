"""Equal queries: of one dataset, instruction and split they are one query; across splits the train one goes."""

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


def merge_equal(queries: Iterable[JudgedQuery]) -> Merging:
    """Merges queries equal in text, instruction and split; the keeper gets all their pairs.

    A positive label goes before a partial before a negative one; human queries stay before synthetic before extractive
    ones, then the smallest id. A query of split `train` whose text stands in another split of its dataset is leaked,
    whatever the instructions are: a model must not be trained on the text that it is tested with.
    """
    texts: dict[tuple[str, str], list[JudgedQuery]] = {}
    for judged in sorted(queries, key=lambda each: stays_first(each.query)):
        texts.setdefault((judged.query.dataset, judged.query.query_hash), []).append(judged)
    result = Merging()
    for equal in texts.values():
        evaluation = next((each for each in equal if each.query.split != TRAIN), None)
        groups: dict[tuple[str | None, str], list[JudgedQuery]] = {}
        for judged in equal:
            if evaluation is not None and judged.query.split == TRAIN:
                result.leaked.append((judged, evaluation))
            else:
                groups.setdefault((judged.query.instruction, judged.query.split), []).append(judged)
        for group in groups.values():
            result.kept.append(_merged(group))
            result.merged.extend((each.query.query_id, group[0].query.query_id) for each in group[1:])
    return result


def _merged(group: list[JudgedQuery]) -> JudgedQuery:
    keeper = group[0].query
    pairs = (replace(pair, query_id=keeper.query_id) for judged in group for pair in judged.pairs)
    return JudgedQuery(keeper, tuple(collapse(pairs)))
