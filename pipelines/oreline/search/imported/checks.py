"""Files of candidates before a run: that they are there, and that their first lines are of the format."""

from collections.abc import Iterator

from oreline import files
from oreline.errors import CallError
from oreline.files import FileInfo
from oreline.recipe.settings import Recipe, Run
from oreline.search.imported.formats import form_of
from oreline.search.imported.lines import Lines, blocks_of
from oreline.search.imported.parsing import parse

_MOST_FILES = 1 << 14
_LOOKED_AT = 1 << 16


def files_of(settings: Run) -> list[FileInfo]:
    """Returns the files of a miner's candidates, sorted by path; raises CallError if there is none."""
    try:
        found = [files.info(settings.path)] if files.exists(settings.path) else files.glob(settings.path)
    except OSError as error:
        raise CallError(f"mine.runs: {settings.path} cannot be read ({error})") from error
    if not found:
        raise CallError(f"mine.runs: there is no file {settings.path}; name a file of candidates, or a pattern")
    if len(found) > _MOST_FILES:
        raise CallError(f"mine.runs: {settings.path} are {len(found):,} files; expected at most {_MOST_FILES:,}")
    return found


def run_problems(recipe: Recipe) -> Iterator[str]:
    """Yields a sentence per file of candidates that is missing or whose first lines are not of its format."""
    for name, settings in recipe.runs().items():
        try:
            for each in files_of(settings):
                yield from _first_problem(name, settings, each.path, reference=name == recipe.mine.reference)
        except CallError as error:
            yield f"mine.runs.{name}: {str(error).removeprefix('mine.runs: ')}"


def _first_problem(name: str, settings: Run, path: str, *, reference: bool) -> Iterator[str]:
    """Yields what is wrong if no line of the beginning can be used: single bad lines become rejects."""
    form = form_of(settings, path)
    first = next(blocks_of(path, _LOOKED_AT), Lines(1, []))
    parsed = parse(first, form)
    count = parsed.rows.num_rows
    if reference and count and parsed.rows.column("score").null_count == count:
        yield f"mine.runs.{name}: {path} has no scores, but mine.reference is {name}; name a file with scores, or dense"
    if count == 0 and parsed.bad:
        bad = parsed.bad[0]
        yield f"mine.runs.{name}: {path}:{bad.line}: {bad.detail}; found {bad.payload[:120]!r}"
