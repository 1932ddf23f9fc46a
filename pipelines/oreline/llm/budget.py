"""The budget: what a run may spend, and the meter that holds calls back before they would exceed it."""

from dataclasses import dataclass
from typing import Self

from oreline.errors import CallError
from oreline.llm.prices import Price, price
from oreline.llm.requests import Answer, Request
from oreline.recipe.settings import Llm

DEFAULT_DOLLARS = 5.0

_BYTES_PER_TOKEN = 2
"""Fewer than any text of a natural language or of code has: the reservation for a prompt is an upper bound."""


@dataclass(frozen=True)
class Budget:
    """What may be spent: dollars, tokens (prompt and output), or both; None is no limit. `price` is the model's."""

    dollars: float | None
    tokens: int | None
    price: Price | None

    def divided(self, workers: int) -> Self:
        """Returns the share of one of `workers` processes, which know nothing of each other."""
        return type(self)(
            None if self.dollars is None else self.dollars / workers,
            None if self.tokens is None else self.tokens // workers,
            self.price,
        )

    def __str__(self) -> str:
        parts = [
            *([] if self.dollars is None else [f"{self.dollars:g} dollars"]),
            *([] if self.tokens is None else [f"{self.tokens:,} tokens"]),
        ]
        return " and ".join(parts)


def effective_budget(llm: Llm) -> Budget:
    """Returns the budget of a model's stage, the default of 5 dollars filled in where the price is known.

    Raises CallError if the price is not known and there is no `budget_tokens`: dollars could not be counted.
    """
    known = price(llm.provider, llm.model)
    if known is None and llm.budget_tokens is None:
        wanted = "" if llm.budget_usd is None else ", so llm.budget_usd cannot be kept"
        raise CallError(
            f"the price of {llm.provider} {llm.model} is not known{wanted}; "
            "set llm.budget_tokens to the most prompt and output tokens that may be used"
        )
    dollars = llm.budget_usd if known is not None else None
    if dollars is None and llm.budget_tokens is None:
        dollars = DEFAULT_DOLLARS
    return Budget(dollars, llm.budget_tokens, known)


@dataclass
class Meter:
    """Counts what a process spends, and reserves what calls in flight may yet cost.

    A reservation is the most that a call can cost: a token for every two bytes of the prompt, and the longest answer.
    So the budget is overshot by nothing but calls that were billed and whose answer never arrived.
    """

    budget: Budget
    tokens: int = 0
    dollars: float = 0.0
    _reserved_tokens: int = 0
    _reserved_dollars: float = 0.0

    def add(self, tokens: int, dollars: float, *, workers: int) -> None:
        """Counts what was spent before, of which each of `workers` processes takes its share."""
        self.tokens += tokens // workers
        self.dollars += dollars / workers

    def reservation(self, request: Request, most_output: int) -> tuple[int, float]:
        """Returns the tokens and dollars that a request can cost at most."""
        text = request.prompt + (request.system or "") + request.answer_schema
        prompt = len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1
        return prompt + most_output, self._dollars(prompt, most_output)

    def fits(self, reservation: tuple[int, float]) -> bool:
        """Says whether a call fits into what is neither spent nor reserved."""
        tokens, dollars = reservation
        budget = self.budget
        return (budget.tokens is None or self.tokens + self._reserved_tokens + tokens <= budget.tokens) and (
            budget.dollars is None or self.dollars + self._reserved_dollars + dollars <= budget.dollars
        )

    @property
    def idle(self) -> bool:
        """Says whether nothing is reserved: no call that is in flight can make room any more."""
        return self._reserved_tokens == 0

    def reserve(self, reservation: tuple[int, float]) -> None:
        """Sets aside what a call may cost."""
        self._reserved_tokens += reservation[0]
        self._reserved_dollars += reservation[1]

    def release(self, reservation: tuple[int, float]) -> None:
        """Gives back what was set aside."""
        self._reserved_tokens -= reservation[0]
        self._reserved_dollars = 0.0 if self._reserved_tokens == 0 else self._reserved_dollars - reservation[1]

    def spend(self, answer: Answer) -> float:
        """Counts what an answer cost and returns its dollars (0 if the price is not known)."""
        prompt, output = answer.prompt_tokens or 0, (answer.output_tokens or 0) + (answer.thinking_tokens or 0)
        dollars = self._dollars(prompt, output, answer.cached_tokens or 0)
        self.tokens += prompt + output
        self.dollars += dollars
        return dollars

    def _dollars(self, prompt: int, output: int, cached: int = 0) -> float:
        return 0.0 if self.budget.price is None else self.budget.price.dollars(prompt, output, cached)
