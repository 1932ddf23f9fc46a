"""Whose money an answer cost: the id of an output, by which a shared journal tells the runs apart that filled it.

It stands in `<output>/_id`, made once by the driver. It is no path: an output that is moved or copied, with its cache
or without, goes on with the money that it has spent.
"""

import re
import uuid

from oreline import files
from oreline.errors import BrokenTable

ID_FILE = "_id"
_DIGITS = 12


def output_id(output: str) -> str:
    """Returns an output's id, 12 hexadecimal digits; makes it where there is none yet.

    A run makes it before its workers start. Raises BrokenTable if the file holds something else.
    """
    path = files.join(output, ID_FILE)
    if not files.exists(path):
        files.write_atomically(path, f"{uuid.uuid4().hex[:_DIGITS]}\n".encode())
    found = files.read_bytes(path).decode("ascii", "replace").strip()
    if not re.fullmatch(f"[0-9a-f]{{{_DIGITS}}}", found):
        raise BrokenTable(
            f"{path}: found {found[:40]!r}, expected {_DIGITS} hexadecimal digits; delete the file to go on, "
            "and what this output has spent so far no longer counts against its budget"
        )
    return found
