"""The scorers that call a model: who is asked what about a case, and what is found out by the answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from pydantic import BaseModel

from oreline import prompting
from oreline.ids import Json, sha256_json
from oreline.judging import listwise, pointwise
from oreline.judging.answers import (
    GRADED_INPUTS,
    LISTWISE_INPUTS,
    QUERY_INPUTS,
    GradedAnswer,
    LikelihoodAnswer,
    ListwiseAnswer,
    QueryText,
)
from oreline.judging.cases import Case, Found, unit_id
from oreline.judging.grades import LIKELIEST
from oreline.judging.shown import calls_of
from oreline.llm.identity import provider_identity
from oreline.llm.providers.capabilities import capabilities
from oreline.llm.requests import Answered, Request, request_for
from oreline.llm.sharing import assigned
from oreline.prompting.prompt import Rendered
from oreline.recipe.settings import STRONG, Likelihood, Llm, Recipe
from oreline.records import LikelihoodSource

Kind = Literal["listwise", "graded", "likelihood"]


@dataclass(frozen=True)
class ModelScorer:
    """A scorer that asks the models of a section: `name` as its rows have it, `kind` how it asks.

    `folder` is that of the recipe's own prompts.
    """

    name: str
    kind: Kind
    llm: Llm
    likelihood: Likelihood
    folder: str | None = None

    def prompts(self) -> list[prompting.Prompt]:
        """Returns the prompts that it may render, each once; raises PromptError if one cannot be used."""
        found = [self.prompt_of(member) for member in self.llm.members()]
        return list({each.id: each for each in found}.values())

    def prompt_of(self, model: Llm) -> prompting.Prompt:
        """Returns what a model is asked with."""
        match self.kind:
            case "listwise":
                return self._load(listwise.PROMPT, ListwiseAnswer, LISTWISE_INPUTS)
            case "graded":
                return self._load(pointwise.GRADED_PROMPT, GradedAnswer, GRADED_INPUTS)
            case "likelihood":
                if source_of(self.likelihood, model) == "exact":
                    return self._load(pointwise.QUERY_PROMPT, QueryText, QUERY_INPUTS)
                return self._load(pointwise.LIKELIHOOD_PROMPT, LikelihoodAnswer, GRADED_INPUTS)

    def identities(self) -> list[str]:
        """Returns, for each of the models, the hash of all that changes its verdicts besides query and document."""
        return [sha256_json(self._ingredients(member)) for member in self.llm.members()]

    def requests(self, case: Case, doc_ids: Sequence[str], texts: Mapping[str, str]) -> Iterator[Request]:
        """Yields the requests about some documents of a case, whose texts are given as they are shown.

        Their context is [query id, scorer, ids of the documents in the order shown].
        """
        if not doc_ids:
            return
        _, model = assigned(self.llm, case.query_id)
        prompt = self.prompt_of(model)
        if self.kind == "listwise":
            for shown in calls_of(case.query_id, doc_ids):
                yield self._request(case, shown, prompt.render(listwise.inputs_of(case, shown, texts)))
            return
        exact = self.kind == "likelihood" and source_of(self.likelihood, model) == "exact"
        for doc_id in sorted(doc_ids):
            inputs = pointwise.inputs_of(case, texts[doc_id])
            rendered = self._with_likeliest(prompt.render({name: inputs[name] for name in prompt.inputs}), model)
            yield self._request(case, [doc_id], rendered, case.query if exact else None)

    def found(self, answered: Answered) -> list[Found]:
        """Returns what an answer says about each document of its request, or why it says nothing."""
        query_id, _, *doc_ids = cast("list[str]", json.loads(answered.request.context))
        bare = [Found(query_id, doc_id, self.name, request_key=answered.request.key) for doc_id in doc_ids]
        payload = answered.answer.text if answered.answer else None
        if answered.reject is not None:
            detail = answered.detail or "no detail was given"
            return [replace(each, reject=answered.reject, detail=detail, payload=payload) for each in bare]
        values = self._values(answered, len(doc_ids))
        if isinstance(values, str):
            return [replace(each, reject="unparsable", detail=values, payload=payload) for each in bare]
        source: LikelihoodSource | None = None
        if self.kind == "likelihood":
            source = "graded" if answered.request.scored is None else "exact"
        model = answered.request.model
        return [
            replace(each, value=value, reason=reason, model=model, source=source)
            for each, (value, reason) in zip(bare, values, strict=True)
        ]

    def _load(self, prompt: str, answer: type[BaseModel], inputs: Sequence[str]) -> prompting.Prompt:
        return prompting.load(prompting.source_of(self.folder, prompt), answer, inputs)

    def _values(self, answered: Answered, shown: int) -> list[tuple[float, str | None]] | str:
        answer = answered.answer
        if answer is None:
            raise ValueError(f"request {answered.request.key} has neither an answer nor a reject")
        if self.kind == "listwise":
            return listwise.values_of(answer.text, shown)
        if answered.request.scored is not None:
            value = pointwise.log_likelihood(answer, self.likelihood.of)
            return value if isinstance(value, str) else [(value, None)]
        graded = pointwise.graded_value(answer) if self.kind == "graded" else pointwise.likelihood_grade(answer)
        return graded if isinstance(graded, str) else [graded]

    def _request(self, case: Case, doc_ids: Sequence[str], rendered: Rendered, scored: str | None = None) -> Request:
        context: Json = [case.query_id, self.name, *doc_ids]
        units = [unit_id(case.query_id, doc_id, self.name) for doc_id in doc_ids]
        return request_for(
            self.llm, rendered, assigned_by=case.query_id, unit_ids=units, context=context, scored=scored
        )

    def _with_likeliest(self, rendered: Rendered, model: Llm) -> Rendered:
        """Asks for the tokens that might stand where the grade does, of models whose log-probabilities are wanted."""
        if self.kind != "graded" or not model.logprobs:
            return rendered
        return replace(rendered, settings={**rendered.settings, "top_logprobs": LIKELIEST})

    def _ingredients(self, member: Llm) -> Json:
        prompt = self.prompt_of(member)
        bare = self._with_likeliest(Rendered(prompt.id, prompt.version, None, "", None, prompt.settings), member)
        request = request_for(member, bare, assigned_by="", unit_ids=[])
        exact = self.kind == "likelihood" and source_of(self.likelihood, member) == "exact"
        return {
            "kind": self.kind,
            "prompt": [prompt.digest, sha256_json(prompt.answer_schema)],
            "model": [provider_identity(member), member.model],
            "settings": json.loads(request.settings),
            "of": self.likelihood.of if exact else None,
        }


def scorer_named(request: Request) -> str:
    """Returns the name of the scorer that made a request."""
    return str(cast("list[str]", json.loads(request.context))[1])


def usable(request: Request, text: str) -> bool:
    """Says whether an answer follows its schema and is about just the documents shown."""
    kind = scorer_named(request).removesuffix(STRONG)
    if request.scored is not None:
        return True
    if kind == "listwise":
        return not isinstance(listwise.grades_of(text, len(request.unit_ids)), str)
    return pointwise.problem_of(text, "graded" if kind == "graded" else "likelihood") is None


def source_of(settings: Likelihood, model: Llm) -> LikelihoodSource:
    """Returns what a model's likelihoods are: all those of a query are of one source, as one model is asked for it."""
    if settings.source != "auto":
        return settings.source
    return "exact" if capabilities(model).prompt_logprobs else "graded"


def model_scorers(recipe: Recipe) -> list[ModelScorer]:
    """Returns the recipe's scorers that call a model, but for the strong one of a cascade."""
    llm, judge = recipe.llm_of("judge"), recipe.judge
    if llm is None:
        return []
    return [ModelScorer(name, cast("Kind", name), llm, judge.likelihood, recipe.prompts) for name in judge.asked]


def strong_scorer(recipe: Recipe) -> ModelScorer | None:
    """Returns the strong scorer of the recipe's cascade, None if there is no cascade."""
    judge = recipe.judge
    if judge.cascade is None:
        return None
    return ModelScorer(f"{judge.strong}{STRONG}", judge.strong, judge.cascade.llm, judge.likelihood, recipe.prompts)
