"""The forecast of judge, scorer by scorer, and of a cascade's strong judge, who is asked about what is flagged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from oreline.forecast.asked import StageForecast
from oreline.forecast.counting import Counted
from oreline.forecast.flow import Flow, graded_per_query
from oreline.forecast.history import History
from oreline.forecast.judged import (
    flagged_requests,
    flagged_share,
    prompt_of_scorer,
    requests_of_scorer,
    sample_of_scorer,
    shown_of_scorer,
)
from oreline.forecast.money import ModelForecast, seconds_of
from oreline.forecast.predicting import INSTRUCTION, QUERY, sample_queries
from oreline.forecast.ranges import ZERO, Range, total
from oreline.forecast.rendering import Rendered
from oreline.forecast.tokens import (
    ESTIMATE,
    Counter,
    Known,
    asked_of,
    latency_expectation,
    output_expectation,
    repeats,
    tokens_per_estimate,
)
from oreline.job import Job
from oreline.judging.blocks import CROSS_ENCODER, prepared
from oreline.judging.scorers import ModelScorer, model_scorers, strong_scorer
from oreline.llm.prices import price_of
from oreline.recipe.settings import Llm, Recipe
from oreline.stages.wiring import encode_row_group

_UNCOUNTED = Known(ESTIMATE, ("prompts estimated from their characters",))
_EXPECTED = "queries expected to stay in the filter"


@dataclass(frozen=True)
class Judges:
    """What is known of judge before it runs; `counter` counts tokens at the provider."""

    recipe: Recipe
    flow: Flow
    history: History
    counter: Counter

    def forecasts(self, counted: Counted | None) -> list[StageForecast]:
        """Returns a forecast per scorer that calls a model: of its counted requests, else of those expected."""
        scorers = model_scorers(self.recipe)
        if counted is None:
            made = [
                self._predicted(each, requests_of_scorer(self.recipe, self.flow, each), _EXPECTED) for each in scorers
            ]
        else:
            made = [self._counted(each, counted) for each in scorers]
        return [*made, *self.strong()]

    def strong(self) -> list[StageForecast]:
        """Returns the forecast of a cascade's strong judge, if there is one: a range, as others must judge first."""
        scorer = strong_scorer(self.recipe)
        if scorer is None:
            return []
        share = flagged_share(self.recipe)
        told = (
            f"asked about what the others flag: {share.expected:.0%} of the documents expected, up to {share.high:.0%}"
        )
        return [self._predicted(scorer, flagged_requests(self.recipe, self.flow, scorer), told, strong=True)]

    def _counted(self, scorer: ModelScorer, counted: Counted) -> StageForecast:
        models, basis = list[ModelForecast](), list[str]()
        requests = settled = 0
        for place, member in enumerate(scorer.llm.members()):
            rendered = counted.groups.get((place, scorer.prompt_of(member).id), Rendered())
            requests, settled = requests + rendered.requests, settled + rendered.requests - rendered.calls
            factor = tokens_per_estimate(member, rendered, self.counter) if rendered.calls else _UNCOUNTED
            length = factor.value * (rendered.estimate / max(1, rendered.calls))
            items = Range.exactly(rendered.items / max(1, rendered.calls))
            model, rests_on = self._model(scorer, member, counted.calls(rendered), items)
            models.append(replace(model, prompt_tokens=length))
            basis.extend((*factor.basis, *rests_on) if rendered.calls else ())
        if counted.scale != 1.0:
            basis.append(f"1 of {counted.scale:.0f} requests rendered, the others taken to be alike")
        whole = Range.exactly(requests) * counted.scale
        return self._told(scorer, models, basis, whole, exact=counted.exact, journaled=settled)

    def _predicted(self, scorer: ModelScorer, requests: Range, told: str, *, strong: bool = False) -> StageForecast:
        models, basis = list[ModelForecast](), [told]
        members = scorer.llm.members()
        sample = sample_of_scorer(self.recipe, self.flow, scorer, sample_queries(self.flow))
        shown = shown_of_scorer(self.recipe, self.flow, scorer, strong=strong)
        for place, member in enumerate(members):
            share = member.share / sum(each.share for each in members)
            calls = requests * share
            served = self.history.requests(asked_of(member, scorer.prompt_of(member)))
            if served:
                calls = replace(calls, low=max(0.0, calls.low - served))
                basis.append("the journal may serve some")
            own = Rendered(sample=[each for each in sample if each.member == place])
            factor = tokens_per_estimate(member, own, self.counter) if own.sample else _UNCOUNTED
            length = prompt_of_scorer(scorer, member, self.flow, (QUERY, INSTRUCTION), shown) * factor.value
            model, rests_on = self._model(scorer, member, calls, shown)
            models.append(replace(model, prompt_tokens=length, share=share))
            basis.extend((*factor.basis, *rests_on))
        return self._told(scorer, models, basis, requests, exact=False, journaled=None)

    def _model(
        self, scorer: ModelScorer, member: Llm, calls: Range, items: Range
    ) -> tuple[ModelForecast, tuple[str, ...]]:
        """Returns a model's calls and answers, without the length of its prompts, and what they rest on."""
        prompt = scorer.prompt_of(member)
        known = self.history.of(asked_of(member, prompt))
        output = output_expectation(member, prompt, items, known, calls.expected)
        made = calls * repeats(known, scorer.llm.attempts)
        return ModelForecast(member.provider, member.model, made, ZERO, output.value, price_of(member)), output.basis

    def _told(
        self,
        scorer: ModelScorer,
        models: Sequence[ModelForecast],
        basis: Sequence[str],
        requests: Range,
        *,
        exact: bool,
        journaled: int | None,
    ) -> StageForecast:
        asked = (asked_of(member, scorer.prompt_of(member)) for member in scorer.llm.members())
        earlier = [self.history.of(each) for each in asked]
        latency = latency_expectation(next((each for each in earlier if each is not None), None))
        calls, tokens = total([each.calls for each in models]), total([each.tokens for each in models])
        seconds = seconds_of(scorer.llm, calls, tokens, latency.value)
        told = tuple(dict.fromkeys([*basis, *(latency.basis if calls.high else ())]))
        return StageForecast("judge", scorer.llm, exact, requests, journaled, tuple(models), seconds, told, scorer.name)


def is_plain(recipe: Recipe) -> bool:
    """Says whether judge has one scorer that calls a model, as by default: then it is forecast like other stages."""
    return len(recipe.judge.scorers) == len(recipe.judge.asked) == 1 and recipe.judge.cascade is None


def measured_told(recipe: Recipe, flow: Flow, job: Job | None) -> str:
    """Returns a sentence on what a cross-encoder would score: what is not stored yet if judge's inputs are there."""
    settings = recipe.judge.cross_encoder
    name = settings.model if settings is not None else "-"
    if job is None:
        pairs = ((flow.people + flow.written) * graded_per_query(recipe, flow)).rounded()
        number = f"{pairs.low:,.0f} to {pairs.high:,.0f} pairs of query and document"
    else:
        blocks = (encode_row_group(each) for each in job.row_groups("candidates"))
        parts = (part for block in blocks for part in prepared(job, block))
        missing = sum(len(part.missing(case, CROSS_ENCODER)) for part in parts for case in part.cases)
        number = f"{missing:,} pairs of query and document, all that are not stored"
    served = settings is not None and settings.server is not None
    costs = "; its server's price is not known" if served else " on this machine"
    return f"judge, cross_encoder: {name} would score {number}{costs}."
