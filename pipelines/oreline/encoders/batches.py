"""How texts are cut into batches: by length, under a budget of padded tokens."""

from collections.abc import Iterator, Sequence

LARGEST_SPREAD = 1.5
"""A batch ends where a text is this many times longer than its shortest: padding is work for nothing."""

WIDEST = 2
"""A batch without padding ends where its texts as rows would be this many times the budget."""

_SHORT = 16
"""Below this many tokens, padding costs less than a further batch."""


def token_batches(
    tokens: Sequence[int], keys: Sequence[str], budget: int, *, padded: bool = True
) -> Iterator[list[int]]:
    """Yields the places of texts, batch by batch; the result depends on the set of (tokens, key) alone.

    `tokens` are lengths, special tokens included; texts are taken in the order of (tokens, key). A batch holds as many
    as keep its rows times its longest text within `budget`, and at least one; without padding, as keep their sum.
    Texts without a token are batches of their own.
    """
    return _padded(tokens, keys, budget) if padded else _packed(tokens, keys, budget)


def _packed(tokens: Sequence[int], keys: Sequence[str], budget: int) -> Iterator[list[int]]:
    batch: list[int] = []
    total = 0
    for place in sorted(range(len(tokens)), key=lambda each: (tokens[each], keys[each])):
        # Behind the transformer texts are rows again: a few long ones may not make many short ones wide.
        wide = (len(batch) + 1) * tokens[place] > WIDEST * budget
        if batch and (wide or total + tokens[place] > budget or _first_with_tokens(tokens, batch, place)):
            yield batch
            batch, total = [], 0
        batch.append(place)
        total += tokens[place]
    if batch:
        yield batch


def _padded(tokens: Sequence[int], keys: Sequence[str], budget: int) -> Iterator[list[int]]:
    batch: list[int] = []
    shortest = 0
    for place in sorted(range(len(tokens)), key=lambda each: (tokens[each], keys[each])):
        length = tokens[place]
        full = (len(batch) + 1) * length > budget
        long = length > LARGEST_SPREAD * max(shortest, _SHORT)
        if batch and (full or long or _first_with_tokens(tokens, batch, place)):
            yield batch
            batch = []
        if not batch:
            shortest = length
        batch.append(place)
    if batch:
        yield batch


def _first_with_tokens(tokens: Sequence[int], batch: Sequence[int], place: int) -> bool:
    return tokens[batch[-1]] == 0 < tokens[place]
