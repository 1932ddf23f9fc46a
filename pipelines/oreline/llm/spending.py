"""What earlier stages of an output spent of the budget that they share."""

from typing import Literal

from oreline.job import Job
from oreline.recipe.settings import Llm
from oreline.tables.manifest import read_manifest

_STAGES: tuple[Literal["synthesize", "filter", "judge"], ...] = ("synthesize", "filter", "judge")


def spent_before(job: Job, llm: Llm) -> tuple[int, float]:
    """Returns the tokens and dollars that the finished stages before this one spent on the same `llm` section.

    A budget is one per section of the recipe, not one per stage: three stages of one `llm` share its 5 dollars.
    """
    tokens, dollars = 0, 0.0
    for stage in _STAGES:
        if stage == job.stage:
            break
        manifest = read_manifest(job.output, stage) if job.recipe.llm_of(stage) == llm else None
        if manifest is not None:
            counts = manifest.counts
            tokens += counts.get("prompt_tokens", 0) + counts.get("output_tokens", 0)
            dollars += counts.get("microdollars", 0) / 1e6
    return tokens, dollars
