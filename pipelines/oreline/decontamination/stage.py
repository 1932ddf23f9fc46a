"""Decontamination within a stage: the index is built once, each worker opens it, and what it says is written."""

import json
from collections.abc import Iterable, Iterator, Sequence

from oreline.decontamination.index import build_index
from oreline.decontamination.index_file import open_index, write_index
from oreline.decontamination.screening import Screen
from oreline.errors import OrelineError, StageFailed
from oreline.job import Job
from oreline.records import Content


def contents_of(job: Job) -> Sequence[Content]:
    """Returns the content types of a recipe's documents."""
    return sorted({source.holds for source in job.recipe.sources})


def built_index(job: Job, contents: Sequence[Content]) -> Iterator[bytes]:
    """Builds the index and yields where it is, or why it cannot be built, as JSON; nothing without benchmarks.

    Nothing either once the user stopped the run.
    """
    if not job.recipe.decontaminate.against:
        return
    try:
        index = build_index(job.recipe.decontaminate, contents, job.stop_requested)
        if index is None:
            return
        path = job.scratch("benchmarks") + ".arrow"
        write_index(index, path)
        yield json.dumps({"path": path}).encode()
    except OrelineError as error:
        yield json.dumps({"failure": str(error)}).encode()


def screen_of(job: Job, built: Iterable[bytes]) -> Screen | None:
    """Returns the screen of a job by what `built_index` yielded, or None where nothing is compared.

    Raises StageFailed if a benchmark could not be read. None also once the user stopped the run: the caller looks.
    """
    for each in built:
        answer = json.loads(each)
        if "failure" in answer:
            raise StageFailed(answer["failure"])
        return Screen(open_index(answer["path"]), job.recipe.decontaminate)
    return None
