"""Pointwise scoring: what a model is asked about one query and one document, and what its answers mean.

`graded` gives a grade from 0 to 3; `likelihood` how likely the query is, given the document: exactly, as the
log-probability of its tokens, or as a grade from 0 to 10.
"""

import math
from typing import Literal

from oreline import prompting
from oreline.judging.answers import GradedAnswer, LikelihoodAnswer
from oreline.judging.cases import Case
from oreline.judging.grades import expected_grade
from oreline.llm.requests import Answer
from oreline.prompting.prompt import Input
from oreline.scripts import one_line

GRADED_PROMPT = "judge/graded"
LIKELIHOOD_PROMPT = "judge/likelihood"
QUERY_PROMPT = "judge/query"
"""The prompt whose answer would be the query: an exact likelihood is that of the query as this answer."""


def inputs_of(case: Case, document: str) -> dict[str, Input]:
    """Returns what a prompt about one document, as it is shown, is filled with; no id is shown."""
    return {"instruction": case.instruction, "query": case.query, "document": document}


def problem_of(text: str, kind: Literal["graded", "likelihood"]) -> str | None:
    """Returns what is wrong with an answer, None if it can be used."""
    answer = prompting.parse(GradedAnswer if kind == "graded" else LikelihoodAnswer, text)
    return answer.detail if isinstance(answer, prompting.Unusable) else None


def graded_value(answer: Answer) -> tuple[float, str | None] | str:
    """Returns grade and reason of a usable answer: the grade expected by its log-probabilities, else the stated one."""
    parsed = prompting.parse(GradedAnswer, answer.text)
    if isinstance(parsed, prompting.Unusable):
        return parsed.detail
    expected = expected_grade(answer.text, answer.logprobs)
    return (float(parsed.grade) if expected is None else expected), one_line(parsed.reason) or None


def likelihood_grade(answer: Answer) -> tuple[float, str | None] | str:
    """Returns the grade from 0 to 10 of a usable answer, and its reason."""
    parsed = prompting.parse(LikelihoodAnswer, answer.text)
    if isinstance(parsed, prompting.Unusable):
        return parsed.detail
    return float(parsed.grade), one_line(parsed.reason) or None


def log_likelihood(answer: Answer, of: Literal["token", "query"]) -> float | str:
    """Returns the natural logarithm of a scored text's probability, per token or as a whole, or what is missing.

    log P(query | document, prompt): Gecko (arXiv:2403.20327), section 3.2.
    """
    if not answer.logprobs:
        return "the server gave no log-probabilities of the query"
    total = math.fsum(each.logprob for each in answer.logprobs)
    if not math.isfinite(total):
        return "the server gave the query a log-probability that is no number"
    return total / len(answer.logprobs) if of == "token" else total
