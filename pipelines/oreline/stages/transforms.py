"""The transform of each stage, by name; each module is imported only when its stage runs."""

import apache_beam as beam

from oreline.job import Job


def transform(stage: str, job: Job) -> beam.PTransform:  # noqa: PLR0911 - one return per stage
    """Returns the transform of a stage: from a pipeline's root to encoded reports (`job.Report`)."""
    match stage:
        case "ingest":
            from oreline.stages.ingest import Ingest

            return Ingest(job)
        case "dedup":
            from oreline.stages.dedup import Dedup

            return Dedup(job)
        case "synthesize":
            from oreline.stages.synthesize import Synthesize

            return Synthesize(job)
        case "filter":
            from oreline.stages.filter import Filter

            return Filter(job)
        case "embed":
            from oreline.stages.embed import Embed

            return Embed(job)
        case "mine":
            from oreline.stages.mine import Mine

            return Mine(job)
        case "judge":
            from oreline.stages.judge import Judge

            return Judge(job)
        case "select":
            from oreline.stages.select import Select

            return Select(job)
        case "export":
            from oreline.stages.export import Export

            return Export(job)
    raise ValueError(f"there is no stage {stage!r}")
