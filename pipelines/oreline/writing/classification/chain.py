"""The chain: lists of people and of things, then labelled texts by one of the people about one of the things.

Gemini Embedding (arXiv 2503.07891, synthetic classification data): what a text is conditioned on is made up before it,
step by step; lists are long and drawn from at their end, as what comes late in a list is less usual.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from oreline import prompting
from oreline.errors import RecipeError
from oreline.languages import language_name
from oreline.llm.requests import Request
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Classification, Llm, Recipe
from oreline.records import Reject
from oreline.scripts import one_line, shortened
from oreline.writing.chain import Answers, answer_of, check_prompt_ids, follows
from oreline.writing.classification.answers import LabelledTextsAnswer, ListAnswer
from oreline.writing.classification.rows import Labelled, Parents, written
from oreline.writing.classification.tasks import TAKEN, ClassTask, Listed, read_own_task, read_packaged_tasks
from oreline.writing.drawing import draw_one, draw_weighted, shuffled, tail_of
from oreline.writing.generated import Split, ask_apart, check_split, place_of
from oreline.writing.work import Work, Written

OWN = "classification/task"
"""The writer whose task stands in a file of the user's own."""

LIST_PROMPT = "classification/lists"
LIST_INPUTS = ("what", "details", "examples", "angle", "count")
"""What the prompt of the first round may declare as its inputs."""
ENTRY_TOKENS = 200
"""An entry of a list is shown up to here, in estimated tokens."""

_ROLES = ("person", "subject")
_MOST_PARENTS = 1_000


@dataclass(frozen=True)
class ClassificationChain:
    """A writer of one draw after another: two lists, a few pairs of their entries, labelled texts for each pair."""

    name: str
    task_name: str
    task: ClassTask
    lists: dict[str, Listed]
    settings: Classification
    list_prompt: prompting.Prompt
    text_prompt: prompting.Prompt
    digest: str

    @property
    def dataset(self) -> str:
        """The dataset of what it writes."""
        return f"{self.settings.dataset}-{self.task_name}"

    @property
    def draws(self) -> int:
        """How many draws there are."""
        kept = len(tail_of(range(self.settings.texts_length), self.settings.tail))
        return -(-self.settings.rows // (kept * self.settings.parents))

    @property
    def prompts(self) -> tuple[prompting.Prompt, ...]:
        """The prompt of the lists, and that of the texts."""
        return self.list_prompt, self.text_prompt

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the task's file: other classes, other texts."""
        return {"tasks": self.digest}

    @property
    def calls(self) -> tuple[float, ...]:
        """Two calls for the lists, then one for each pair of their entries."""
        return float(len(_ROLES)), float(self.settings.parents)

    def requests(self, llm: Llm, work: Work, before: Answers) -> Iterator[Request]:
        """Yields the two calls for lists, then a call for the texts of each pair."""
        if not before:
            yield from (self._list(llm, work, place, role) for place, role in enumerate(_ROLES))
        elif len(before) == 1:
            for place, parents in enumerate(self._parents(work, before)):
                yield self._texts(llm, work, place, parents)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows the schema of its prompt, and knows no class but the task's."""
        if request.prompt_id == self.list_prompt.id:
            return follows(ListAnswer, text)
        answer = prompting.parse(LabelledTextsAnswer, text)
        return isinstance(answer, LabelledTextsAnswer) and all(self._label(each.label) for each in answer.texts)

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns the rows of a draw; every answer that gives none is a reject."""
        rejects = [
            each for each in (answer_of(ListAnswer, work, one) for one in answered[0]) if isinstance(each, Reject)
        ]
        parents = self._parents(work, answered)
        texts: list[Labelled] = []
        for each in answered[1]:
            answer = answer_of(LabelledTextsAnswer, work, each)
            if isinstance(answer, Reject):
                rejects.append(answer)
                continue
            place = place_of(each.request)
            entries = list(enumerate(answer.texts))
            for number, entry in tail_of(entries, self.settings.tail):
                label = self._label(entry.label)
                if label is not None:
                    texts.append(Labelled(each, number, label, one_line(entry.text), parents[place]))
        rows = written(work, self.dataset, self.task.instruction, texts, self.settings.seed)
        return replace(rows, rejects=(*rejects, *rows.rejects))

    def _list(self, llm: Llm, work: Work, place: int, role: str) -> Request:
        name = self.task.person if role == "person" else self.task.subject
        listed, seed = self.lists[name], self.settings.seed
        inputs: dict[str, Input] = {
            "what": listed.what,
            "details": listed.details,
            "examples": [*listed.examples],
            "angle": draw_one(listed.angles, seed, "angle", name, str(work.draw)) if listed.angles else "",
            "count": self.settings.list_length,
        }
        split = Split(self.settings.lists_model, named=True)
        return ask_apart(self.list_prompt, llm, work, inputs, place=place, draw=work.draw, split=split)

    def _texts(self, llm: Llm, work: Work, place: int, parents: Parents) -> Request:
        inputs: dict[str, Input] = {
            **parents.drawn,
            "person": parents.person,
            "subject": parents.subject,
            "language": language_name(parents.language),
            "count": self.settings.texts_length,
            "order": "\n".join(f"{number}. {label}" for number, label in enumerate(self._order(work, place), start=1)),
            "classes": "\n".join(f"- {label}: {meaning}" for label, meaning in self.task.classes.items()),
        }
        split = Split(self.settings.lists_model, named=False)
        draw = work.draw * _MOST_PARENTS + place
        return ask_apart(self.text_prompt, llm, work, inputs, place=place, draw=draw, split=split)

    def _parents(self, work: Work, before: Answers) -> list[Parents]:
        """Returns the pairs that are drawn from the ends of the two lists; none if a list is missing."""
        lists: dict[int, list[str]] = {}
        keys: dict[int, str] = {}
        for each in before[0]:
            answer = answer_of(ListAnswer, work, each)
            if isinstance(answer, ListAnswer):
                entries = dict.fromkeys(shortened(one_line(entry), ENTRY_TOKENS) for entry in answer.entries)
                lists[place_of(each.request)] = list(entries)[: self.settings.list_length]
                keys[place_of(each.request)] = each.request.key
        if len(lists) < len(_ROLES):
            return []
        seed, unit = self.settings.seed, f"{self.task_name}#{work.draw}"
        people, things = (
            shuffled(tail_of(lists[place], self.settings.tail), seed, role, unit) for place, role in enumerate(_ROLES)
        )
        return [
            Parents(
                people[place % len(people)],
                things[place % len(things)],
                (keys[0], keys[1]),
                draw_weighted(self.settings.languages, seed, "language", unit, str(place)),
                {name: draw_one(values, seed, name, unit, str(place)) for name, values in self.task.draw.items()},
            )
            for place in range(self.settings.parents)
        ]

    def _order(self, work: Work, place: int) -> list[str]:
        """Returns the classes of the texts: all in an order drawn, then all in another, so that any tail has each."""
        labels, seed = list(self.task.classes), self.settings.seed
        turns = math.ceil(self.settings.texts_length / len(labels))
        names = ("order", self.task_name, str(work.draw), str(place))
        order = [label for turn in range(turns) for label in shuffled(labels, seed, *names, str(turn))]
        return order[: self.settings.texts_length]

    def _label(self, written_label: str) -> str | None:
        """Returns the class that a label means: capitals do not count, nor signs where that leaves one class."""
        folded = one_line(written_label).casefold()
        exact = [label for label in self.task.classes if label.casefold() == folded]
        near = exact or [label for label in self.task.classes if _letters(label) == _letters(folded) != ""]
        return near[0] if len(near) == 1 else None


def classification(name: str, recipe: Recipe) -> ClassificationChain:
    """Returns the chain of a recipe; raises RecipeError or PromptError for what it cannot write with."""
    settings = recipe.synthesize.classification
    check_split(recipe.llm_of("synthesize"), settings.lists_model, "synthesize.classification.lists_model")
    if not any(settings.languages.values()):
        raise RecipeError("synthesize.classification.languages: no weight is above 0, so nothing would be written")
    if name != OWN:
        task_name, found = name.partition("/")[2], read_packaged_tasks()
    elif settings.task is None:
        raise RecipeError(f"synthesize.classification.task: {OWN} needs a YAML file with a task and its lists")
    else:
        task_name, found = read_own_task(settings.task)
        if (other := f"classification/{task_name}") in recipe.writers():
            # Equal lists of both would be one request, whose texts were two documents of one id.
            told = f"{other} writes the dataset {settings.dataset}-{task_name} already; give your task another name"
            raise found.wrong(("tasks", task_name), told)
    task = found.value.tasks[task_name]
    try:
        text_prompt = prompting.load(
            prompting.source_of(recipe.prompts, task.prompt), LabelledTextsAnswer, {*TAKEN, *task.draw}
        )
    except prompting.PromptError as error:
        raise found.wrong(("tasks", task_name, "prompt"), str(error)) from error
    chain = ClassificationChain(
        name=name,
        task_name=task_name,
        task=task,
        lists=dict(found.value.lists),
        settings=settings,
        list_prompt=prompting.load(prompting.source_of(recipe.prompts, LIST_PROMPT), ListAnswer, LIST_INPUTS),
        text_prompt=text_prompt,
        digest=found.digest,
    )
    check_prompt_ids(chain.prompts)
    return chain


def _letters(label: str) -> str:
    return "".join(sign for sign in label.casefold() if sign.isalnum())
