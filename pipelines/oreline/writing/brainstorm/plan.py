"""Which draw writes what: rows divided over groups, groups over draws, and what is drawn for each row."""

from dataclasses import dataclass
from functools import cached_property

from oreline.ids import Json
from oreline.recipe.settings import Brainstorm
from oreline.writing.brainstorm.taxonomy import Group, Taxonomy, group_weights, language_weights
from oreline.writing.drawing import apportioned, draw_one, draw_weighted

MOST_ROWS = 10_000
"""Rows of a draw at most: 100 tasks with 100 rows each."""


@dataclass(frozen=True)
class Share:
    """What a draw has to do: the group's draw `number`, from 0, and how many rows."""

    name: str
    group: Group
    number: int
    rows: int


@dataclass(frozen=True)
class Drawn:
    """What was drawn for a row: languages by code, the first of the query and the last of the documents, and values."""

    languages: tuple[str, ...]
    values: dict[str, str]

    def to_json(self) -> dict[str, Json]:
        """Returns what is kept with the row."""
        return {"languages": [*self.languages], **self.values}


@dataclass(frozen=True)
class Plan:
    """Divides the rows that are asked for: by weights over the groups, of each group over draws of equal size."""

    settings: Brainstorm
    taxonomy: Taxonomy

    @property
    def capacity(self) -> int:
        """Rows of a draw at most."""
        return self.settings.tasks_per_call * self.settings.rows_per_task

    @cached_property
    def rows(self) -> dict[str, int]:
        """Rows by group, those that get any."""
        return {
            name: rows
            for name, rows in apportioned(self.settings.rows, group_weights(self.settings, self.taxonomy)).items()
            if rows
        }

    @property
    def draws(self) -> int:
        """How many draws there are."""
        return sum(-(-rows // self.capacity) for rows in self.rows.values())

    def share(self, draw: int) -> Share:
        """Returns what a draw has to do; raises IndexError if there is no such draw."""
        left = draw
        for name, rows in self.rows.items():
            draws = -(-rows // self.capacity)
            if left < draws:
                size = min(self.capacity, rows - left * self.capacity)
                return Share(name, self.taxonomy.groups[name], left, size)
            left -= draws
        raise IndexError(f"there are {self.draws} draws, from 0; found {draw}")

    def field(self, share: Share) -> str:
        """Returns the field that a first call gets, empty if the taxonomy has none."""
        fields = self.taxonomy.fields
        return draw_one(fields, self.settings.seed, "field", share.name, str(share.number)) if fields else ""

    def drawn(self, share: Share, place: int) -> Drawn:
        """Returns what is drawn for the row at a place of a draw."""
        seed, names = self.settings.seed, (share.name, str(share.number), str(place))
        first = draw_weighted(self._languages, seed, "language", *names)
        languages = [first]
        if share.group.languages > 1:
            others = {code: weight for code, weight in self._languages.items() if code != first}
            languages.append(draw_weighted(others, seed, "language_2", *names))
        values = {name: draw_one(values, seed, name, *names) for name, values in share.group.draw.items()}
        return Drawn(tuple(languages), values)

    @cached_property
    def _languages(self) -> dict[str, float]:
        return language_weights(self.settings, self.taxonomy)
