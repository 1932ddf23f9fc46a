"""Prompts: files with front matter and Jinja2 text, rendered with corpus text as data, and answers parsed by pydantic.

`load` reads a prompt, `Prompt.render` fills it, `llm.requests.request_for` makes the request, `parse` reads the answer:

>>> prompt = load("retrieval/fret", FretAnswer)
>>> request = request_for(llm, prompt.render({"document": text, "count": 2}), assigned_by=doc_id, unit_ids=[doc_id])
>>> answer = parse(FretAnswer, answered.text)  # a FretAnswer, or Unusable
"""

from oreline.prompting.answers import Unusable, answer_schema, parse
from oreline.prompting.folders import source_of
from oreline.prompting.front_matter import PromptError
from oreline.prompting.prompt import Prompt, Rendered, load

__all__ = ["Prompt", "PromptError", "Rendered", "Unusable", "answer_schema", "load", "parse", "source_of"]
