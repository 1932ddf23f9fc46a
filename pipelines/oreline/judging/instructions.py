"""Instructions: what a query asks to be found, in words, for a model that rates or judges."""

from oreline.records import Query, TaskType

DEFAULTS: dict[TaskType, str] = {
    "retrieval": "Given a search query, find documents that give what it looks for.",
    "question_answering": "Given a question, find passages that answer it.",
    "fact_checking": "Given a claim, find passages that support or refute it.",
    "sentence_similarity": "Given a sentence, find texts that say the same.",
    "classification": "Given a text, find texts of the same class.",
    "clustering": "Given a text, find texts on the same topic.",
    "code_retrieval": "Given what is to be done, find code or documentation that does it.",
    "summarization": "Given a text, find its summary.",
    "bitext": "Given a sentence, find its translation.",
}
"""What stands for a missing instruction, by task type."""


def instruction_of(query: Query) -> str:
    """Returns a query's instruction, or its task type's in words if it has none."""
    return query.instruction or DEFAULTS[query.task_type]
