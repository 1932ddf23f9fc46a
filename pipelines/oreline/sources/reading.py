"""Reading one file of a source, whatever its format."""

from collections.abc import Iterator

from oreline.recipe.settings import SourceFormat
from oreline.sources.beir import read_beir
from oreline.sources.code_files import read_code
from oreline.sources.columns import table_row
from oreline.sources.found import Found, Place
from oreline.sources.pages import read_page
from oreline.sources.python_docs import read_python
from oreline.sources.tables import read_csv, read_jsonl, read_parquet


def read_file(place: Place, path: str, form: SourceFormat) -> Iterator[Found]:
    """Yields what each row of a file gives, in order; raises SourceError if the file as a whole cannot be read."""
    match form:
        case "jsonl":
            found = read_jsonl(place, path, table_row)
        case "parquet":
            found = read_parquet(place, path)
        case "csv" | "tsv":
            found = read_csv(place, path, form)
        case "beir":
            found = read_beir(place, path)
        case "markdown" | "text":
            found = read_page(place, path, form)
        case "python-docs":
            found = read_python(place, path)
        case "code":
            found = read_code(place, path)
    return found
