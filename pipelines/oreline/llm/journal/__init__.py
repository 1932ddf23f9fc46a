"""The journal: every answer of a model, raw, in append-only Parquet segments, by lane.

`<cache>/journal/v1/<lane, 2 hexadecimal digits>/<segment>`; a row is an `Answer`, (request_key, attempt) its identity.
A segment is written whole and never changed; small ones are merged (see `compaction`). Its name says whose money is in
it and how much (see `segments`), so that a listing gives progress and spending. A file that is torn or was not written
by us is named in the log and passed over, never deleted.
"""

from oreline.llm.journal.keeping import Journal
from oreline.llm.journal.reading import Attempts, LaneContents, missing, open_lane, read_lane
from oreline.llm.journal.segments import NOBODY, lane_folder, lane_of
from oreline.llm.journal.writing import append

__all__ = [
    "NOBODY",
    "Attempts",
    "Journal",
    "LaneContents",
    "append",
    "lane_folder",
    "lane_of",
    "missing",
    "open_lane",
    "read_lane",
]
