"""The task of a text, for services that take it beside the text: it stands in the string that makes the key.

So vectors of one text for two tasks never meet in the store. The control characters are none that a text has in front.
"""

from collections.abc import Mapping

from oreline.records import TaskType

_BEGIN, _END = "\x02", "\x03"

DOCUMENT_TASK = "RETRIEVAL_DOCUMENT"
QUERY_TASK = "RETRIEVAL_QUERY"
QUERY_TASKS: Mapping[TaskType, str] = {
    "question_answering": "QUESTION_ANSWERING",
    "fact_checking": "FACT_VERIFICATION",
    "code_retrieval": "CODE_RETRIEVAL_QUERY",
}
"""The Gemini API's task types of queries that go with documents of `DOCUMENT_TASK`; all others have `QUERY_TASK`.

CLASSIFICATION, CLUSTERING and SEMANTIC_SIMILARITY are left out: both sides are to have those, and a document has one
vector for all queries.
"""


def with_task(task: str, text: str) -> str:
    """Returns a text as the store's key sees it; without a task, as it is."""
    return f"{_BEGIN}{task}{_END}{text}" if task else text


def split_task(string: str) -> tuple[str, str]:
    """Returns the task and the text of what `with_task` made with a task; raises ValueError for anything else."""
    task, end, text = string.partition(_END)
    if not task.startswith(_BEGIN) or not end:
        raise ValueError(f"{string[:40]!r} states no task")
    return task.removeprefix(_BEGIN), text
