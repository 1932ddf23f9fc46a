"""The persona bank: who may ask, and whom a document concerns most, by shared words (Persona Hub's place in Qwen3)."""

import hashlib
import math
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files as packaged
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from oreline import files
from oreline.errors import RecipeError
from oreline.extractive.prose import content_words
from oreline.ids import seeded_fraction
from oreline.scripts import one_line

LONGEST = 500
"""Characters of a persona, at most: it is a sketch of a person, not a document."""
FEWEST = 2
_READ_CHARACTERS = 20_000


class PersonaRow(BaseModel):
    """A line of a JSONL file of personas."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    persona: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST)]
    about: str = ""


@dataclass(frozen=True)
class Nearest:
    """The personas shown for a document, best first; the first `shared` share words with it, the others were drawn."""

    personas: tuple[str, ...]
    shared: int


@dataclass(frozen=True)
class PersonaBank:
    """Personas, each with further words that the documents which concern them hold; `digest` is the file's sha256."""

    rows: tuple[PersonaRow, ...]
    digest: str

    def nearest(self, doc_id: str, text: str, count: int) -> Nearest:
        """Returns `count` personas (fewer in a smaller bank) for a document.

        They are ranked by the cosine of TF-IDF vectors, where each distinct word counts once; of equal ones the first
        in the file goes first. A document in another language than the bank shares no words with it: its personas are
        drawn by sha256 of `doc_id`, as are those that are missing where fewer share a word.
        """
        scores = self._scores(text)
        sharing = [int(place) for place in np.flatnonzero(scores > 0)]
        chosen = sorted(sharing, key=lambda place: (-scores[place], place))[:count]
        shared, draw = len(chosen), 0
        while len(chosen) < min(count, len(self.rows)):
            place = int(seeded_fraction(0, "persona", doc_id, str(draw)) * len(self.rows))
            chosen.extend([place] if place not in chosen else [])
            draw += 1
        return Nearest(tuple(self.rows[place].persona for place in chosen), shared)

    def _scores(self, text: str) -> npt.NDArray[np.float64]:
        scores = np.zeros(len(self.rows))
        for word in sorted(_words(text[:_READ_CHARACTERS])):
            for place, weight in self._postings.get(word, ()):
                scores[place] += weight
        return scores

    @cached_property
    def _postings(self) -> dict[str, list[tuple[int, float]]]:
        """Returns, for each word, the personas that have it and its share in their score: idf² over the norm."""
        words = [_words(f"{row.persona} {row.about}") for row in self.rows]
        number: dict[str, int] = {}
        for each in words:
            for word in each:
                number[word] = number.get(word, 0) + 1
        idf = {word: math.log(1 + len(words) / count) for word, count in number.items()}
        found: dict[str, list[tuple[int, float]]] = {}
        for place, each in enumerate(words):
            norm = math.sqrt(sum(idf[word] ** 2 for word in sorted(each)))
            for word in each:
                found.setdefault(word, []).append((place, idf[word] ** 2 / norm))
        return found


def _words(text: str) -> frozenset[str]:
    """Returns the content words of a text, an English plural as its singular: banks say `bee`, documents `bees`."""
    return frozenset(_singular(word) for word in content_words(text))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def load_bank(path: str | None) -> PersonaBank:
    """Reads a bank: `.jsonl` with `persona` and, optional, `about`, or `.txt` with a persona a line; None is ours.

    Raises RecipeError, which names file and line, for what is no persona, a repeated one, or fewer than two.
    """
    if path is None:
        return _ours()
    try:
        contents = files.read_bytes(path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise RecipeError(f"synthesize.persona.personas: there is no file {path}") from error
    if not path.lower().endswith((".jsonl", ".txt")):
        raise RecipeError(f"synthesize.persona.personas: {path} ends in neither .jsonl nor .txt")
    return _parse(path, contents)


@cache
def _ours() -> PersonaBank:
    return _parse("personas.jsonl", packaged("oreline.writing").joinpath("personas.jsonl").read_bytes())


def _parse(path: str, contents: bytes) -> PersonaBank:
    try:
        lines = contents.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    rows: list[PersonaRow] = []
    places: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _row(path, number, line)
        if (first := places.setdefault(row.persona.casefold(), number)) != number:
            raise RecipeError(f"{path}:{number}: the persona of line {first} once more; each stands once")
        rows.append(row)
    if len(rows) < FEWEST:
        raise RecipeError(f"{path}: {len(rows)} personas; at least {FEWEST} are needed to choose from")
    return PersonaBank(tuple(rows), hashlib.sha256(contents).hexdigest())


def _row(path: str, number: int, line: str) -> PersonaRow:
    try:
        if path.lower().endswith(".txt"):
            return PersonaRow(persona=one_line(line))
        row = PersonaRow.model_validate_json(line)
        return PersonaRow(persona=one_line(row.persona), about=row.about)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "line"
        raise RecipeError(f"{path}:{number}: {key}: {first['msg']}; {_EXPECTED}") from error


_EXPECTED = f'a line is {{"persona": "...", "about": "..."}}, `about` left out at will, at most {LONGEST} characters'
