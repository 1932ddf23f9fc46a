"""What the attempts at a request amount to: a usable answer, a reject, or another attempt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oreline.llm.requests import Answer, Request

Usable = Callable[[Request, str], bool]

_DETAILS = {
    "refused": "the model refused to answer ({reason})",
    "blocked": "the provider blocked prompt or answer ({reason})",
    "truncated": "the answer was cut off; llm.max_output_tokens is too small ({reason})",
}


@dataclass(frozen=True)
class Settled:
    """The end of a request: a usable answer, or a reject reason with a sentence and the last answer, if one came."""

    answer: Answer | None
    reject: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Ask:
    """Attempt `number`, from 0, is to be made."""

    number: int


def weigh(request: Request, attempts: Mapping[int, Answer], usable: Usable, most: int) -> Settled | Ask:
    """Returns what the journaled attempts at a request amount to.

    The first usable one counts. A refusal and a block are final. Else the first attempt that is not journaled is
    made, if fewer than `most` are; so a newer parser tries all old attempts before anything is paid.
    """
    rejected: Settled | None = None
    for number in sorted(attempts):
        answer = attempts[number]
        if answer.status == "ok" and usable(request, answer.text):
            return Settled(answer)
        rejected = _reject(answer)
        if answer.status in ("refused", "blocked"):
            return rejected
    free = next((number for number in range(most) if number not in attempts), None)
    if free is not None:
        return Ask(free)
    if rejected is None:
        raise ValueError(f"at least one attempt must be allowed, found {most}")
    return rejected


def _reject(answer: Answer) -> Settled:
    if answer.status == "ok":
        shown = "is empty" if not answer.text.strip() else "does not follow its schema"
        return Settled(answer, "unparsable", f"attempt {answer.attempt + 1}: the answer {shown} ({answer.reason})")
    return Settled(answer, answer.status, _DETAILS[answer.status].format(reason=answer.reason))
