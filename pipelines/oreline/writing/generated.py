"""Documents that a model writes, and the requests of chains whose rounds different models may serve."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from oreline import ids
from oreline.chunking.tokens import estimate_tokens
from oreline.errors import RecipeError
from oreline.ids import Json
from oreline.llm.requests import Answered, Request, request_for
from oreline.normalise import content_hash, text_hash
from oreline.prompting import Prompt
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm
from oreline.records import Document
from oreline.writing.work import Work


def generated_document(
    dataset: str,
    text: str,
    answered: Answered,
    place: str,
    *,
    lang: str | None,
    metadata: Mapping[str, Json],
    group: str | None = None,
) -> Document:
    """Returns a document of an answer, searchable within its dataset.

    Its id is sha256 over the request, the attempt and its place in the answer; `metadata` says how it was written.
    """
    text = text.strip()
    attempt = answered.answer.attempt if answered.answer else None
    own_id = ids.sha256_json([answered.request.prompt_id, answered.request.key, attempt, place])
    return Document(
        doc_id=f"{dataset}/{own_id}",
        dataset=dataset,
        text=text,
        content_hash=content_hash(None, text, "text"),
        text_hash=text_hash(text, "text"),
        lang=lang,
        group=group,
        origin="generated",
        tokens=estimate_tokens(text),
        metadata=json.dumps({**metadata, "request_key": answered.request.key}, sort_keys=True, ensure_ascii=False),
    )


@dataclass(frozen=True)
class Split:
    """Which of a section's models a round is asked of: the named one, all but that one, or without a name all."""

    model: str | None
    named: bool

    def models(self, llm: Llm) -> tuple[list[int], Llm]:
        """Returns the places of the models among the section's, and a section of these alone."""
        members = llm.members()
        if self.model is None:
            return list(range(len(members))), llm
        places = [place for place, each in enumerate(members) if (each.model == self.model) == self.named]
        first, *others = [members[place] for place in places]
        return places, first.model_copy(update={"further_models": others})


def place_of(request: Request) -> int:
    """Returns the number of a request among those of its round, as `ask_apart` was given it."""
    return int(json.loads(request.context)[2])


def ask_apart(
    prompt: Prompt, llm: Llm, work: Work, inputs: Mapping[str, Input], *, place: int, draw: int, split: Split
) -> Request:
    """Returns a request of a chain; as `chain.ask`, but each place of a round may go to another model."""
    given = {name: value for name, value in inputs.items() if name in prompt.inputs}
    places, models = split.models(llm)
    asked = request_for(
        models,
        prompt.render(given),
        assigned_by=f"{work.unit}/{place}",
        unit_ids=[work.unit],
        context=[work.writer, work.unit, place],
        draw=draw,
    )
    return replace(asked, member=places[asked.member])


def check_split(llm: Llm | None, model: str | None, key: str) -> None:
    """Raises RecipeError if a recipe names a model for one round that its section does not have beside others."""
    if model is None or llm is None:
        return
    names = [each.model for each in llm.members()]
    if model not in names:
        raise RecipeError(f"{key}: there is no model {model!r} in the section; it has {', '.join(names)}")
    if set(names) == {model}:
        raise RecipeError(
            f"{key}: {model} is the section's only model, so none is left for the other calls; "
            "add one to llm.further_models, or leave the key out"
        )
