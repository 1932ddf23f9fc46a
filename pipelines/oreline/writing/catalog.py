"""The writers by name: which there are, and what each needs."""

import difflib
from dataclasses import dataclass

from oreline.errors import RecipeError


@dataclass(frozen=True)
class Writer:
    """A writer: `prompt` is what an LLM writer asks with, None for one that calls no model."""

    name: str
    prompt: str | None = None

    @property
    def needs_llm(self) -> bool:
        """Says whether it calls a model."""
        return self.prompt is not None


WRITERS: dict[str, Writer] = {
    writer.name: writer
    for writer in (
        Writer("extractive/title"),
        Writer("extractive/inverse_cloze"),
        Writer("extractive/keyphrase"),
        Writer("retrieval/fret", prompt="retrieval/fret"),
    )
}
"""All writers by name."""


def writer_of(name: str) -> Writer:
    """Returns the writer of a name; a path ending in `.md` is a prompt file of one's own that answers as FRet's does.

    Raises RecipeError, which names the nearest writer.
    """
    if name in WRITERS:
        return WRITERS[name]
    if name.endswith(".md"):
        return Writer(name, prompt=name)
    near = difflib.get_close_matches(name, WRITERS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else "a prompt file of one's own is given by its path, ending in .md."
    raise RecipeError(f"synthesize.writers: there is no writer {name!r}; {hint} Writers: {', '.join(WRITERS)}")
