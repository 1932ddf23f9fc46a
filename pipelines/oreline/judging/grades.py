"""Grades from 0 to 3: what they mean, and the grade that a model expects by its own log-probabilities."""

import math
import re
from collections.abc import Sequence

from oreline.llm.requests import TokenLogprob
from oreline.selection.verdicts import Relevance, nearest

RELEVANT_FROM = 2
LIKELIEST = 5
"""Tokens asked for at each place of an answer: the four grades, and one more."""

_GRADE = re.compile(r'"grade"\s*:\s*([0-3])(?=\s*[,}])')


def verdict_of(value: float) -> Relevance:
    """Returns what a grade from 0 to 3 means, by its nearest whole one: 2 and 3 relevant, 1 partly, 0 irrelevant."""
    grade = nearest(value)
    if grade >= RELEVANT_FROM:
        return "relevant"
    return "partly_relevant" if grade == 1 else "irrelevant"


def expected_grade(text: str, logprobs: Sequence[TokenLogprob] | None) -> float | None:
    """Returns the mean grade under a model's probabilities of the labels 0 to 3 where its answer states the grade.

    The probabilities are those of the tokens that might have stood there, made to sum to 1 over the four labels. None
    if the answer came without them, or if its tokens do not make up its text. Scoring by label probabilities: Gecko
    (arXiv:2403.20327), section 3.2; the expectation over graded labels: Zhuang and others (arXiv:2310.14122).
    """
    stated = list(_GRADE.finditer(text))
    if not logprobs or not stated or "".join(each.token for each in logprobs) != text:
        return None
    place, start = stated[-1].start(1), 0
    for each in logprobs:
        if place < start + len(each.token):
            return _expected(each, place - start)
        start += len(each.token)
    return None


def _expected(token: TokenLogprob, place: int) -> float | None:
    """`place` is where the grade's digit stands within the token."""
    before = token.token[:place]
    chances: dict[int, dict[str, float]] = {grade: {} for grade in range(4)}
    for each in (token, *(token.likely or ())):
        label = each.token[place : place + 1]
        if (
            each.token.startswith(before)
            and label in ("0", "1", "2", "3")
            and not each.token[place + 1 :][:1].isdigit()
        ):
            chances[int(label)][each.token] = math.exp(each.logprob)
    if not token.likely:
        return None
    weights = {grade: math.fsum(found.values()) for grade, found in chances.items()}
    total = math.fsum(weights.values())
    return math.fsum(grade * weight for grade, weight in weights.items()) / total if total > 0 else None
