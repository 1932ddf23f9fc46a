"""What is said of the judge before it runs: what stands in its way, and what it does instead of what it cannot."""

from collections.abc import Iterator

from oreline.errors import CallError
from oreline.ids import Json
from oreline.judging import cross_encoder
from oreline.judging.scorers import model_scorers, source_of, strong_scorer
from oreline.llm.providers.capabilities import capabilities
from oreline.recipe.settings import Recipe


def problems(recipe: Recipe) -> Iterator[str]:
    """Yields a sentence for each thing that would make judge fail: a model without the ability, a missing library."""
    judge = recipe.judge
    for scorer in model_scorers(recipe):
        if scorer.kind != "likelihood" or judge.likelihood.source != "exact":
            continue
        for member in scorer.llm.members():
            if not capabilities(member).prompt_logprobs:
                yield (
                    f"judge.likelihood.source is exact, but {member.provider} {member.model} gives no "
                    "log-probabilities of a given text; leave the key out for a grade from 0 to 10, or name a model "
                    "behind a vLLM server"
                )
    if "cross_encoder" in judge.scorers and judge.cross_encoder is not None:
        try:
            cross_encoder.identity(judge.cross_encoder)
        except CallError as error:
            yield str(error)


def told(recipe: Recipe) -> Iterator[str]:
    """Yields a line per scorer that has a choice of how to score, or does something else than its name says."""
    judge = recipe.judge
    for name, said in facts(recipe).items():
        if name == "likelihood" and isinstance(said, dict):
            for model, source in said.items():
                yield f"judge: likelihood by {model} is {_SOURCES[str(source)]}"
        if name == "graded" and isinstance(said, dict):
            for model, value in said.items():
                yield f"judge: the grade by {model} is {_VALUES[str(value)]}"
    if "cross_encoder" in judge.scorers and judge.cross_encoder is not None:
        settings = judge.cross_encoder
        where = "on this machine" if settings.server is None else f"at {settings.server}, whose price is not known"
        stated = "its scores state no verdicts" if settings.relevant_from is None else "with verdicts by its thresholds"
        yield f"judge: cross_encoder {settings.model} scores {where}; {stated}"
    strong = strong_scorer(recipe)
    if strong is not None and judge.cascade is not None:
        models = " and ".join(each.model for each in strong.llm.members())
        partly = " or partly relevant" if judge.cascade.ask_again == "partly" else ""
        yield (
            f"judge: {models} is asked again, {strong.kind}, about what is called relevant{partly} and is no labelled "
            "positive, and about labelled positives that are not called relevant; its verdict decides"
        )


def facts(recipe: Recipe) -> dict[str, Json]:
    """Returns what a manifest says of how values come about, by scorer and model."""
    found: dict[str, Json] = {}
    for scorer in model_scorers(recipe):
        if scorer.kind == "likelihood":
            found[scorer.kind] = {each.model: source_of(recipe.judge.likelihood, each) for each in scorer.llm.members()}
        if scorer.kind == "graded":
            found[scorer.kind] = {
                each.model: "expected" if each.logprobs else "stated" for each in scorer.llm.members()
            }
    return found


_SOURCES = {
    "exact": (
        "exact: the log-probability of the query's tokens, which needs a vLLM server; for another one set "
        "judge.likelihood.source: graded"
    ),
    "graded": "a grade from 0 to 10: it gives no log-probabilities of a given text, or is not asked for them",
}
_VALUES = {
    "expected": "the one expected under its log-probabilities, the stated one where they do not come",
    "stated": "the stated one; with llm.logprobs, where the model has them, it would be the expected one",
}
