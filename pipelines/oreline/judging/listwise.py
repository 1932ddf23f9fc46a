"""Listwise grading: what a model is asked about one query and several documents, and what its grades mean."""

from collections.abc import Mapping, Sequence

from oreline import prompting
from oreline.judging.answers import DocumentGrade, ListwiseAnswer
from oreline.judging.cases import Case
from oreline.prompting.prompt import Input
from oreline.scripts import one_line

PROMPT = "judge/listwise"


def inputs_of(case: Case, doc_ids: Sequence[str], texts: Mapping[str, str]) -> dict[str, Input]:
    """Returns what a prompt about several documents is filled with; no id is shown."""
    return {
        "instruction": case.instruction,
        "query": case.query,
        "document": [texts[doc_id] for doc_id in doc_ids],
        "count": len(doc_ids),
    }


def grades_of(text: str, shown: int) -> list[DocumentGrade] | str:
    """Returns the grades of `shown` documents in the order in which they stood, or what is wrong with the answer."""
    answer = prompting.parse(ListwiseAnswer, text)
    if isinstance(answer, prompting.Unusable):
        return answer.detail
    numbers = [each.document for each in answer.grades]
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        return f"document {twice} is graded more than once"
    wanted = set(range(1, shown + 1))
    if missing := sorted(wanted - set(numbers)):
        return f"{len(missing)} of {shown} documents have no grade, the first is number {missing[0]}"
    if unknown := sorted(set(numbers) - wanted):
        return f"document {unknown[0]} is graded, but only {shown} were shown"
    return sorted(answer.grades, key=lambda each: each.document)


def values_of(text: str, shown: int) -> list[tuple[float, str | None]] | str:
    """Returns value and reason for each of `shown` documents, or what is wrong with the answer."""
    grades = grades_of(text, shown)
    if isinstance(grades, str):
        return grades
    return [(float(each.grade), one_line(each.reason) or None) for each in grades]
