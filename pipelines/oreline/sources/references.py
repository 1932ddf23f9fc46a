"""What `sources[].parent` and `sources[].group` refer to: a column, or a part of a document's own id."""

import re
from functools import cache


@cache
def id_pattern(setting: str) -> re.Pattern[str] | None:
    """Returns the pattern that `parent` or `group` is, or None if it is a column's name: it has no group.

    Raises re.error if it can be neither.
    """
    pattern = re.compile(setting) if "(" in setting else None
    return pattern if pattern is not None and pattern.groups else None
