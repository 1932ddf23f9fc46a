"""The forecast: stage by stage, what a run would ask its models, what it would cost and how long it would take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from oreline.fingerprint import inputs_of, prompts_of
from oreline.forecast.asked import StageForecast
from oreline.forecast.corpus import MOST_SECONDS, Dataset, survey
from oreline.forecast.counters import remembering
from oreline.forecast.counting import Counted, can_count, count_requests
from oreline.forecast.embedding import embedding_told
from oreline.forecast.flow import Flow, after_dedup, after_filter, after_synthesize, counted, rated_share, written_for
from oreline.forecast.history import History, read_history
from oreline.forecast.judges import Judges, is_plain, measured_told
from oreline.forecast.later import portions
from oreline.forecast.money import ModelForecast, joined, seconds_of
from oreline.forecast.predicting import items_expected, prompt_estimate, requests_of, sample_requests
from oreline.forecast.ranges import ZERO, Range, either, total
from oreline.forecast.rendering import Progress, Rendered
from oreline.forecast.telling import During, at_once, untold
from oreline.forecast.tokens import (
    ESTIMATE,
    Counter,
    Known,
    asked_of,
    latency_expectation,
    output_expectation,
    prompt_expectation,
    repeats,
    tokens_per_estimate,
)
from oreline.forecast.writers import Expected, expected_later, expected_writing, rescaled
from oreline.job import Job
from oreline.llm.prices import price_of
from oreline.planning import Planned
from oreline.prompting.prompt import Prompt
from oreline.recipe.settings import Llm, Recipe
from oreline.sources.discovery import dataset_name
from oreline.stages.catalog import Stage, model_of
from oreline.tables.manifest import broken_parts, whole_manifest
from oreline.writing.catalog import chains_of

_UNCOUNTED = Known(ESTIMATE, ("prompts estimated from their characters",))
_DRIFT = Range(0.85, 1.0, 1.15)


@dataclass
class Forecaster:
    """Goes through a plan stage by stage, with what it learns on the way.

    `counter` counts tokens at the provider, `progress` is told how many requests of a stage were rendered,
    `during` which step is done.
    """

    recipe: Recipe
    adopt_from: str | None
    counter: Counter
    progress: Progress
    during: During = untold
    history: History = field(default_factory=History)
    flow: Flow = field(default_factory=Flow)
    notes: list[str] = field(default_factory=list)
    _moved: bool = False
    _places: dict[str, str] = field(default_factory=dict)

    def forecast(self, plan: Sequence[Planned]) -> list[StageForecast]:
        """Returns the forecast of each stage that would call a model."""
        with self.during("reading the journal"):
            self.history = read_history(self.recipe.cache_folder)
        self.counter = remembering(self.counter, self.during)
        found = []
        for planned in plan:
            stage = planned.stage
            if planned.status in ("run", "depends"):
                if stage.name == "embed":
                    self.notes.extend(embedding_told(self.recipe, self.flow, self._job(stage)))
                if stage.name == "judge" and not is_plain(self.recipe):
                    found.extend(self._judged(stage))
                else:
                    made = self._runs(stage)
                    found.extend([made] if made is not None else [])
                self._moved = True
            elif planned.status != "skipped":
                self._stands(stage, planned)
        return found

    def _stands(self, stage: Stage, planned: Planned) -> None:
        """Takes over what a stage's tables hold that will not run."""
        place = self.adopt_from if planned.status == "adopt" else self.recipe.output
        if self._moved or place is None or whole_manifest(place, stage.name) is None:
            return
        self._places[stage.name] = place
        written = {*stage.writes, *stage.adds} & {"documents", "queries", "pairs"}
        if written:
            with self.during(f"counting what {stage.name} has written"):
                self.flow = counted(Job(place, stage.name, self.recipe, dict.fromkeys(written, stage.name)), self.flow)

    def _runs(self, stage: Stage) -> StageForecast | None:
        """Returns what a stage that runs asks its models, and takes over what it is expected to write."""
        if stage.name == "ingest":
            self.flow = Flow(self._surveyed())
            return None
        llm = model_of(self.recipe, stage.name)
        made = None if llm is None else self._asked(stage, llm)
        if stage.name == "dedup":
            self.flow = after_dedup(self.flow)
        elif stage.name == "synthesize":
            self.flow = after_synthesize(self.recipe, self.flow, self._written_for(made))
        elif stage.name == "filter":
            share = rated_share(self.recipe, self.flow)
            rated = made.requests * share if made is not None and share else None
            self.flow = after_filter(self.recipe, self.flow, rated)
        return made

    def _judged(self, stage: Stage) -> list[StageForecast]:
        """Returns what each of several scorers asks its models."""
        llm, job = self.recipe.llm_of("judge"), self._job(stage)
        asks = llm if self.recipe.judge.asked else None
        counted = self._requests(job, asks) if job is not None and asks is not None else None
        if "cross_encoder" in self.recipe.judge.scorers:
            self.notes.append(measured_told(self.recipe, self.flow, job))
        return Judges(self.recipe, self.flow, self.history, self.counter).forecasts(counted)

    def _surveyed(self) -> dict[str, Dataset]:
        found: dict[str, Dataset] = {}
        for index, source in enumerate(self.recipe.sources):
            with self.during(f"reading source {source.path}, for {MOST_SECONDS:g} seconds or somewhat longer"):
                own, name = survey(source, index), dataset_name(source)
            before = found.get(name)
            found[name] = own if before is None else _both(before, own)
        return found

    def _written_for(self, made: StageForecast | None) -> Range:
        chains = list(chains_of(self.recipe).values())
        if made is not None and len(chains) == 1 and tuple(chains[0].calls) == (1.0,):
            return made.requests
        return written_for(self.recipe, self.flow)

    def _asked(self, stage: Stage, llm: Llm) -> StageForecast:
        prompts = prompts_of(self.recipe, stage.name)
        job = self._job(stage)
        if job is None or not can_count(job):
            return self._predicted(stage.name, llm, prompts, self._standing(stage, llm))
        return self._counted(job, llm, prompts, self._requests(job, llm))

    def _requests(self, job: Job, llm: Llm) -> Counted:
        rated = "running the filter's rules and duplicates aside, for what its rater would see"
        with self.during(rated if job.stage == "filter" else f"rendering the requests of {job.stage}"):
            return count_requests(job, llm, self.recipe.cache_folder, self.progress)

    def _job(self, stage: Stage) -> Job | None:
        """Returns the stage's job if its inputs are there as they will be, all in one place; else None."""
        inputs = inputs_of(self.recipe, stage)
        places = {self._places.get(name) for name in inputs.values()}
        place = next(iter(places)) if len(places) == 1 else None
        return None if self._moved or place is None else Job(place, stage.name, self.recipe, inputs)

    def _standing(self, stage: Stage, llm: Llm) -> Counted | None:
        """Returns the requests of a stage by inputs that are there but will be written anew; None if they are not."""
        inputs, output = inputs_of(self.recipe, stage), self.recipe.output
        manifests = [whole_manifest(output, name) for name in dict.fromkeys(inputs.values())]
        if any(each is None or broken_parts(output, each) for each in manifests):
            return None
        job = Job(output, stage.name, self.recipe, inputs)
        return self._requests(job, llm) if can_count(job) else None

    def _counted(self, job: Job, llm: Llm, prompts: Sequence[Prompt], requests: Counted) -> StageForecast:
        models: list[ModelForecast] = []
        basis: list[str] = []
        by_id = {prompt.id: prompt for prompt in prompts}
        for place, member in enumerate(llm.members()):
            parts = []
            for (group, prompt_id), rendered in requests.groups.items():
                if group == place and rendered.calls:
                    sample = Expected(
                        (by_id[prompt_id],),
                        requests.calls(rendered),
                        Range.exactly(rendered.estimate / rendered.calls),
                        Range.exactly(rendered.items / rendered.calls),
                    )
                    parts.append(self._part(llm, member, sample, rendered, basis))
            own = [expected_later(self.flow, each) for each in requests.later if each.member == place]
            parts.extend([self._part(llm, member, each, None, basis) for each in own])
            models.append(joined(_no_calls(member), parts))
        if requests.later:
            basis.append("calls that build on answers are expected, not counted")
        if requests.scale > 1.0:
            basis.append(f"1 of {requests.scale:.0f} requests rendered, the others taken to be alike")
        settled = sum(each.requests - each.calls for each in requests.models)
        return self._stage(job.stage, llm, models, basis, requests.requests, exact=requests.exact, journaled=settled)

    def _part(
        self, llm: Llm, member: Llm, expected: Expected, rendered: Rendered | None, basis: list[str]
    ) -> ModelForecast:
        """Returns the calls of one model by one prompt (or one of some), and adds to `basis` what they rest on."""
        factor = tokens_per_estimate(member, rendered, self.counter) if rendered is not None else _UNCOUNTED
        length = expected.prompt_tokens * factor.value
        if rendered is None:
            known = [prompt_expectation(self.history.of(asked_of(member, each)), 1) for each in expected.prompts]
            billed = [each.value for each in known if each is not None]
            if len(billed) == len(known):
                length, factor = either(billed) * _DRIFT, Known(_DRIFT, ("prompts like those in the journal",))
        model, rests_on = self._model(llm.attempts, member, expected.prompts, expected.requests, expected.items)
        basis.extend((*factor.basis, *rests_on))
        return replace(model, prompt_tokens=length)

    def _predicted_writing(self, llm: Llm, standing: Counted | None) -> StageForecast:
        """Returns what writers are expected to ask of documents that are not there yet."""
        expected = expected_writing(self.recipe, self.flow, llm)
        basis = [_RESTS_ON["synthesize"] if standing is None else _STANDING]
        models = list[ModelForecast]()
        for place, (member, share) in enumerate(zip(llm.members(), portions(llm), strict=True)):
            calls = [self._unserved(member, each, each.requests * share, basis) for each in expected]
            if standing is not None:
                known = standing.calls(standing.models[place]).expected
                later = sum(each.calls.expected for each in standing.later if each.member == place)
                calls = rescaled(calls, known + later)
            parts = []
            for each, own in zip(expected, calls, strict=True):
                sample = [request for request in each.sample if request.member == place]
                rendered = Rendered(sample=sample) if sample else None
                parts.append(self._part(llm, member, replace(each, requests=own), rendered, basis))
            models.append(joined(replace(_no_calls(member), share=share), parts))
        requests = total([each.requests for each in expected])
        return self._stage("synthesize", llm, models, basis, requests, exact=False, journaled=None)

    def _unserved(self, member: Llm, expected: Expected, calls: Range, basis: list[str]) -> Range:
        """Returns calls without those that the journal may serve."""
        served = sum(self.history.requests(asked_of(member, each)) for each in expected.prompts)
        if served:
            basis.append("the journal may serve some")
        return replace(calls, low=max(0.0, calls.low - served))

    def _predicted(
        self, stage: str, llm: Llm, prompts: Sequence[Prompt], standing: Counted | None = None
    ) -> StageForecast:
        if stage == "synthesize":
            return self._predicted_writing(llm, standing)
        requests, prompt = requests_of(self.recipe, stage, self.flow), prompts[0]
        sample = sample_requests(self.recipe, stage, self.flow, llm, prompts)
        estimate = prompt_estimate(self.recipe, stage, self.flow, prompts)
        items = items_expected(self.recipe, stage, self.flow)
        shares = sum(each.share for each in llm.members())
        models, basis = list[ModelForecast](), [_RESTS_ON[stage] if standing is None else _STANDING]
        for place, member in enumerate(llm.members()):
            share = member.share / shares
            calls = requests * share
            served = self.history.requests(asked_of(member, prompt))
            if served:
                calls = replace(calls, low=max(0.0, calls.low - served))
                basis.append("the journal may serve some")
            if standing is not None:
                now = standing.calls(standing.models[place]).expected
                calls = Range(min(calls.low, now), now, max(calls.high, now))
            known = prompt_expectation(self.history.of(asked_of(member, prompt)), calls.expected)
            own = [each for each in sample if each.member == place]
            factor = tokens_per_estimate(member, Rendered(sample=own), self.counter) if own else _UNCOUNTED
            length = estimate * factor.value
            if known is not None and stage == "filter" and len(prompts) == 1:
                length, factor = known.value * _DRIFT, known
            model, rests_on = self._model(llm.attempts, member, prompts, calls, items)
            models.append(replace(model, prompt_tokens=length, share=share))
            basis.extend((*factor.basis, *rests_on))
        return self._stage(stage, llm, models, basis, requests, exact=False, journaled=None)

    def _model(
        self, attempts: int, member: Llm, prompts: Sequence[Prompt], calls: Range, items: Range
    ) -> tuple[ModelForecast, tuple[str, ...]]:
        """Returns a model's calls and answers, without the length of its prompts, and what they rest on."""
        earlier = [self.history.of(asked_of(member, each)) for each in prompts]
        outputs = [
            output_expectation(member, each, items, known, calls.expected)
            for each, known in zip(prompts, earlier, strict=True)
        ]
        made = calls * either([repeats(known, attempts) for known in earlier])
        output = either([each.value for each in outputs])
        model = ModelForecast(member.provider, member.model, made, ZERO, output, price_of(member))
        return model, tuple(told for each in outputs for told in each.basis)

    def _stage(
        self,
        stage: str,
        llm: Llm,
        models: Sequence[ModelForecast],
        basis: Sequence[str],
        requests: Range,
        *,
        exact: bool,
        journaled: int | None,
    ) -> StageForecast:
        prompt = prompts_of(self.recipe, stage)[0]
        earlier = [self.history.of(asked_of(member, prompt)) for member in llm.members()]
        latency = latency_expectation(next((each for each in earlier if each is not None), None))
        calls, tokens = total([each.calls for each in models]), total([each.tokens for each in models])
        seconds = seconds_of(llm, calls, tokens, latency.value)
        told = at_once([*basis, *(latency.basis if calls.high else ())])
        return StageForecast(stage, llm, exact, requests, journaled, tuple(models), seconds, told)


_RESTS_ON: Mapping[str, str] = {
    "synthesize": "documents expected to reach it",
    "filter": "queries expected to be written and to pass the rules",
    "judge": "queries expected to stay in the filter",
}


def _no_calls(member: Llm) -> ModelForecast:
    return ModelForecast(member.provider, member.model, ZERO, ZERO, ZERO, price_of(member))


_STANDING = "its inputs as they stand now, though they may change"


def _both(one: Dataset, other: Dataset) -> Dataset:
    return Dataset(
        one.documents + other.documents,
        one.queries + other.queries,
        one.pairs or other.pairs,
        (*one.sample, *other.sample),
    )
