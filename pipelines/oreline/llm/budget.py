"""The budget: what a run may spend, and the meter that holds calls back before they would exceed it."""

from dataclasses import dataclass
from typing import Self

from oreline.errors import CallError
from oreline.llm.prices import Price, price_of
from oreline.llm.providers import Reply
from oreline.llm.requests import Answer, Request
from oreline.recipe.settings import Llm

DEFAULT_DOLLARS = 5.0

_BYTES_PER_TOKEN = 2
"""Fewer than any text of a natural language or of code has: the reservation for a prompt is an upper bound."""


@dataclass(frozen=True)
class Budget:
    """What may be spent: dollars, tokens (prompt and output), or both; None is no limit.

    `prices` are those of the section's models, in their order; None is a price that is not known.
    """

    dollars: float | None
    tokens: int | None
    prices: tuple[Price | None, ...] = (None,)

    def divided(self, workers: int) -> Self:
        """Returns the share of one of `workers` processes, which know nothing of each other."""
        return type(self)(
            None if self.dollars is None else self.dollars / workers,
            None if self.tokens is None else self.tokens // workers,
            self.prices,
        )

    def cost(self, member: int, prompt_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Returns the dollars of a call to the model at a place of the section; 0 if its price is not known."""
        price = self.prices[member]
        return 0.0 if price is None else price.dollars(prompt_tokens, output_tokens, cached_tokens)

    def __str__(self) -> str:
        parts = [
            *([] if self.dollars is None else [f"{self.dollars:g} dollar{'' if self.dollars == 1 else 's'}"]),
            *([] if self.tokens is None else [f"{self.tokens:,} tokens"]),
        ]
        return " and ".join(parts)


def effective_budget(llm: Llm) -> Budget:
    """Returns the budget of a model's stage, the default of 5 dollars filled in where all prices are known.

    Raises CallError if a price is not known and there is no `budget_tokens`: dollars could not be counted.
    """
    members = llm.members()
    prices = tuple(price_of(each) for each in members)
    unknown = [f"{each.provider} {each.model}" for each, known in zip(members, prices, strict=True) if known is None]
    if unknown and llm.budget_tokens is None:
        wanted = "" if llm.budget_usd is None else ", so llm.budget_usd cannot be kept"
        raise CallError(
            f"the price of {' and '.join(unknown)} is not known{wanted}; "
            "set llm.budget_tokens to the most prompt and output tokens that may be used, or llm.price"
        )
    dollars = llm.budget_usd if len(unknown) < len(members) else None
    if dollars is None and llm.budget_tokens is None:
        dollars = DEFAULT_DOLLARS
    return Budget(dollars, llm.budget_tokens, prices)


def most_prompt_tokens(request: Request) -> int:
    """Returns the tokens that prompt, system instruction, schema and a text to score are at most."""
    return most_tokens(request.prompt + (request.system or "") + request.answer_schema + (request.scored or ""))


def most_tokens(text: str) -> int:
    """Returns the tokens that a text is at most."""
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1


@dataclass
class Meter:
    """Counts what a process spends, and reserves what calls in flight may yet cost.

    A reservation is a token for every two bytes of the prompt, and the longest answer that is allowed or was seen. So
    the budget is overshot by calls that were billed and whose answer never arrived, and by the thinking of those that
    are in flight before the first answer shows how much the model thinks.
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
        prompt = most_prompt_tokens(request)
        return prompt + most_output, self.budget.cost(request.member, prompt, most_output)

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

    def price(self, reply: Reply, member: int) -> float | None:
        """Returns the dollars of a reply of the model at a place, None if its price or the usage is not known."""
        if self.budget.prices[member] is None or reply.prompt_tokens is None:
            return None
        output = (reply.output_tokens or 0) + (reply.thinking_tokens or 0)
        return self.budget.cost(member, reply.prompt_tokens, output, reply.cached_tokens or 0)

    def spend(self, answer: Answer, request: Request) -> float:
        """Counts what an answer cost, and returns its dollars.

        Where the provider states no tokens, the most are counted that prompt and answer can be, or a budget would
        never end.
        """
        prompt = most_prompt_tokens(request) if answer.prompt_tokens is None else answer.prompt_tokens
        written = most_tokens(answer.text) if answer.output_tokens is None else answer.output_tokens
        output = written + (answer.thinking_tokens or 0)
        dollars = self.budget.cost(request.member, prompt, output, answer.cached_tokens or 0)
        self.tokens += prompt + output
        self.dollars += dollars
        return dollars
