"""What an output has spent on answers, by its journal: of every stage, finished or stopped, in this run or before."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from oreline import files
from oreline.llm.budget import effective_budget
from oreline.llm.journal.reading import BrokenSegment, label_of, read_segment
from oreline.llm.journal.segments import NOBODY, Label, Segment, journal_folder, list_lanes
from oreline.llm.ownership import output_id
from oreline.progress import Purse
from oreline.recipe.settings import Llm

_LOG = logging.getLogger(__name__)
_MONEY = ("request_key", "prompt_tokens", "thinking_tokens", "output_tokens", "dollars")


@dataclass(frozen=True)
class Spending:
    """Answers, tokens and money of an output, by stage."""

    stages: Mapping[str, Label] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Prompt and output tokens, thinking included."""
        return sum(each.tokens for each in self.stages.values())

    @property
    def dollars(self) -> float:
        """US dollars; answers whose price was not known are not among them."""
        return sum(each.nanodollars for each in self.stages.values()) / 1e9

    def plus(self, stage: str, tokens: int, dollars: float) -> "Spending":
        """Returns the sum with what a stage spends besides."""
        more = Label("", stage, tokens=tokens, nanodollars=round(dollars * 1e9))
        return Spending({**self.stages, stage: self.stages[stage] + more if stage in self.stages else more})

    def __str__(self) -> str:
        shares = [(name, _money(each.tokens, each.nanodollars / 1e9)) for name, each in sorted(self.stages.items())]
        told = "; ".join(f"{name}: {money}" for name, money in shares)
        return _money(self.tokens, self.dollars) + (f" ({told})" if len(shares) > 1 else "")


def spent(output: str, cache: str) -> Spending:
    """Returns what an output has spent, from the names of the segments in its cache's journal.

    Answers whose payer is not known count if the cache lies within the output: nobody else can have paid for them.
    """
    owners = {output_id(output), *([NOBODY] if cache.startswith(files.join(output, "")) else [])}
    stages: dict[str, Label] = {}
    for listed in list_lanes(journal_folder(cache)):
        for segment in listed.segments:
            label = segment.label or (_read(segment) if NOBODY in owners else None)
            if label is not None and label.owner in owners:
                stages[label.stage] = stages[label.stage] + label if label.stage in stages else label
    return Spending(stages)


def purse(output: str, cache: str, llm: Llm) -> Purse:
    """Returns what a stage may still spend on a model, for its progress line."""
    budget, before = effective_budget(llm), spent(output, cache)
    return Purse(budget.dollars, budget.tokens, before.dollars, before.tokens)


def _read(segment: Segment) -> Label | None:
    """Returns the label of a segment whose name says nothing: it is of the first release, or torn, or foreign."""
    try:
        return label_of(read_segment(segment.path, _MONEY))
    except (BrokenSegment, FileNotFoundError) as error:  # named when its lane is read; merged meanwhile
        _LOG.debug("%s: %s", segment.path, error)
        return None


def _money(tokens: int, dollars: float) -> str:
    return f"{dollars:.4f} dollars, {tokens:,} tokens" if dollars else f"{tokens:,} tokens"
