"""Answers of the writers of personas, of code and of two documents, derived from what their prompts show."""

import re

from derivers import Deriver, Sight, keywords, sentences
from oreline.ids import Json

_CHOICES = re.compile(r"^(Question types|Difficulties) to choose from: (.+)$", re.MULTILINE)
_RANGE = re.compile(r"^Length: (\d+) to (\d+) words$", re.MULTILINE)
_LANGUAGE = re.compile(r"^Language: ([a-z]{2,3}(?:-\w+)?)(?:,|$)", re.MULTILINE)
_PLANNED = re.compile(r"\bPlan (\d+)\b")
_KINDS = re.compile(r"(?:styles?|kinds?|Kinds)[^:\n]*: ([a-z_, ]+)\.")
_WORD = re.compile(r"\w+")


def configurations(sight: Sight) -> Json:
    """Personas, types and difficulties drawn from what is offered, each need a sentence of the document."""
    offered = {name: listed.split(", ") for name, listed in _CHOICES.findall(sight.prompt)}
    told = _RANGE.search(sight.prompt)
    fewest, most = (int(told[1]), int(told[2])) if told else (2, 8)
    language = _LANGUAGE.search(sight.prompt)
    number = _PLANNED.search(sight.prompt)
    shown = sentences(sight.text("document"))
    first = sight.number("need")
    return {
        "configurations": [
            {
                "persona": 1 + sight.number("persona", str(place)) % len(sight.texts("persona")),
                "need": shown[(first + place) % len(shown)],
                "question_type": sight.one_of(offered["Question types"], str(place)),
                "difficulty": sight.one_of(offered["Difficulties"], str(place)),
                "length": fewest + sight.number("length", str(place)) % (most - fewest + 1),
                "language": language[1] if language else "en",
            }
            for place in range(int(number[1]) if number else 1)
        ]
    }


def query_of_a_need(sight: Sight) -> Json:
    """The telling words of the need."""
    return {"query": keywords(sight.text("need") or sight.text("document"))}


def descriptions(sight: Sight) -> Json:
    """Identifiers of the code, taken apart into words."""
    found = _listed(sight)
    words = [word.lower() for word in re.findall(r"[A-Za-z][a-z]{2,}", sight.text("document"))]
    distinct = list(dict.fromkeys(words)) or ["code"]
    return {
        "descriptions": [
            {"style": style, "query": f"{style} of " + " ".join(distinct[place : place + 5] or distinct[:5])}
            for place, style in enumerate(found)
        ]
    }


def code_questions(sight: Sight) -> Json:
    """A question with words of the document, and one with a line of code."""
    shown = sentences(sight.text("document"))
    return {
        "code_questions": [
            {
                "kind": kind,
                "query": f"why does {keywords(shown[place % len(shown)])} fail"
                + ("\n```python\nrun(1)\n```" if kind == "snippet" else ""),
            }
            for place, kind in enumerate(_listed(sight))
        ]
    }


def connections(sight: Sight) -> Json:
    """The telling words of a sentence of each document; none if they share no word of five letters."""
    first, second = sight.texts("document")
    shared = {word for word in _WORD.findall(first.lower()) if len(word) > 4} & set(_WORD.findall(second.lower()))
    if not shared:
        return {"connections": []}
    one, other = sentences(first)[-1], sentences(second)[-1]
    query = f"{min(shared)} {keywords(one, 3)} {keywords(other, 3)}"
    alone = sight.number("alone") % 5 == 0
    return {
        "connections": [
            {
                "kind": "combination",
                "fact_1": one,
                "fact_2": other,
                "query": query,
                "answer": min(shared),
                "needs": [1] if alone else [1, 2],
            }
        ]
    }


def verdicts(sight: Sight) -> Json:
    """What each document gives, by the words of the query that stand in it alone."""
    texts = [set(_WORD.findall(each.lower())) for each in sight.texts("document")]
    found: list[Json] = []
    for number, query in enumerate(sight.texts("query"), start=1):
        words = set(_WORD.findall(query.lower()))
        given = ["all" if words <= each else "part" if words & each else "nothing" for each in texts]
        found.append(
            {
                "query": number,
                "reason": "by its words",
                "document_1": given[0],
                "document_2": given[1],
                "together": words <= texts[0] | texts[1],
            }
        )
    return {"verdicts": found}


def _listed(sight: Sight) -> list[str]:
    found = _KINDS.search(sight.prompt)
    listed = found[1].split(", ") if found else ["search"]
    return [listed[place % len(listed)] for place in range(sight.count())]


QUESTIONS: dict[frozenset[str], Deriver] = {
    frozenset({"configurations"}): configurations,
    frozenset({"query"}): query_of_a_need,
    frozenset({"descriptions"}): descriptions,
    frozenset({"code_questions"}): code_questions,
    frozenset({"connections"}): connections,
    frozenset({"verdicts"}): verdicts,
}
"""Derivers by the keys of the answer that they make."""
