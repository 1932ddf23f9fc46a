"""The chain: a call makes up tasks of a group, then each row of a task is written in a call of its own.

Groups without tasks (sentence similarity, bitext) are written in one call per row, as in the paper.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from oreline import prompting
from oreline.languages import language_name
from oreline.llm.requests import Answered, Request
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Reject
from oreline.scripts import one_line, shortened
from oreline.writing.brainstorm.answers import TasksAnswer, TripleAnswer
from oreline.writing.brainstorm.plan import MOST_ROWS, Plan, Share
from oreline.writing.brainstorm.rows import Triple, written
from oreline.writing.brainstorm.taxonomy import language_weights, read_taxonomy
from oreline.writing.chain import Answers, answer_of, check_prompt_ids, follows
from oreline.writing.drawing import shuffled
from oreline.writing.generated import Split, ask_apart, check_split, place_of
from oreline.writing.work import Work, Written

TASKS_PROMPT = "generated/tasks"
TASKS_INPUTS = ("query", "document", "examples", "field", "count")
"""What the prompt of the first round may declare as its inputs."""
TASK_TOKENS = 150
"""A task is shown up to here, in estimated tokens."""


@dataclass(frozen=True)
class BrainstormChain:
    """A writer of one draw after another: each makes up tasks and writes their rows, documents included."""

    name: str
    plan: Plan
    tasks_prompt: prompting.Prompt
    row_prompts: dict[str, prompting.Prompt]
    digest: str

    @property
    def dataset(self) -> str:
        """Beginning of its datasets' names."""
        return self.plan.settings.dataset

    @property
    def draws(self) -> int:
        """How many draws there are."""
        return self.plan.draws

    @property
    def prompts(self) -> Sequence[prompting.Prompt]:
        """The prompt of the tasks, then those of the rows, each once."""
        rows = {each.source: each for each in self.row_prompts.values()}
        return (self.tasks_prompt, *rows.values())

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the taxonomy: other groups, other rows."""
        return {"taxonomy": self.digest}

    @property
    def calls(self) -> tuple[float, float]:
        """Requests per draw of each round, over all groups."""
        first = second = 0
        for name, rows in self.plan.rows.items():
            if self.plan.taxonomy.groups[name].tasks is None:
                first += rows
            else:
                first += -(-rows // self.plan.capacity)
                second += rows
        return first / self.draws, second / self.draws

    def requests(self, llm: Llm, work: Work, before: Answers) -> Iterator[Request]:
        """Yields the call for tasks, then a call per row; for a group without tasks, a call per row at once."""
        share = self.plan.share(work.draw)
        if not before:
            if share.group.tasks is None:
                yield from (self._row(llm, work, share, place, None) for place in range(share.rows))
            else:
                yield self._tasks(llm, work, share)
        elif len(before) == 1 and share.group.tasks is not None:
            for place, task in self._places(share, before[0]):
                yield self._row(llm, work, share, place, task)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows the schema of its prompt."""
        return follows(TasksAnswer if request.prompt_id == self.tasks_prompt.id else TripleAnswer, text)

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns the rows of a draw: queries, documents and pairs; every answer without a row is a reject."""
        share = self.plan.share(work.draw)
        tasks: dict[int, str] = {}
        rejects: list[Reject] = []
        if share.group.tasks is not None:
            found = (answer_of(TasksAnswer, work, each) for each in answered[0])
            rejects = [each for each in found if isinstance(each, Reject)]
            tasks = dict(self._places(share, answered[0]))
        triples: list[Triple] = []
        for each in answered[0] if share.group.tasks is None else answered[1]:
            answer = answer_of(TripleAnswer, work, each)
            if isinstance(answer, Reject):
                rejects.append(answer)
                continue
            place = place_of(each.request)
            drawn = self.plan.drawn(share, place)
            if share.group.tasks is None:
                triples.append(Triple(each, answer, drawn))
            else:
                triples.append(Triple(each, answer, drawn, tasks[place], answered[0][0]))
        rows = written(work, f"{self.dataset}-{share.name}", share, triples)
        return replace(rows, rejects=(*rejects, *rows.rejects))

    def _tasks(self, llm: Llm, work: Work, share: Share) -> Request:
        kind = share.group.tasks
        assert kind is not None
        inputs: dict[str, Input] = {
            "query": kind.query,
            "document": kind.document,
            "examples": [*kind.examples],
            "field": self.plan.field(share),
            "count": self.plan.settings.tasks_per_call,
        }
        split = Split(self.plan.settings.tasks_model, named=True)
        return ask_apart(self.tasks_prompt, llm, work, inputs, place=0, draw=share.number, split=split)

    def _row(self, llm: Llm, work: Work, share: Share, place: int, task: str | None) -> Request:
        drawn = self.plan.drawn(share, place)
        names = [language_name(code) for code in drawn.languages]
        inputs: dict[str, Input] = {**drawn.values, "language": names[0], "language_2": names[-1]}
        if task is not None:
            inputs["task"] = task
        # Equal prompts of two rows are two requests: a row's id is that of its request.
        draw = share.number * MOST_ROWS + place
        split = Split(self.plan.settings.tasks_model, named=False)
        return ask_apart(self.row_prompts[share.name], llm, work, inputs, place=place, draw=draw, split=split)

    def _places(self, share: Share, answered: Sequence[Answered]) -> list[tuple[int, str]]:
        """Returns the task of each row of a draw: all tasks once, in an order drawn, then all again.

        The order is drawn as a draw with fewer rows than tasks should not write the obvious ones alone.
        """
        tasks: dict[str, str] = {}
        for each in answered:
            answer = None if each.reject is not None else prompting.parse(TasksAnswer, each.text)
            for task in answer.tasks if isinstance(answer, TasksAnswer) else ():
                shown = shortened(one_line(task), TASK_TOKENS)
                tasks.setdefault(shown.casefold(), shown)
        wide = self.plan.settings.tasks_per_call
        kept = shuffled(list(tasks.values())[:wide], self.plan.settings.seed, "task", share.name, str(share.number))
        places = [
            (turn * wide + number, task)
            for turn in range(self.plan.settings.rows_per_task)
            for number, task in enumerate(kept)
        ]
        return places[: share.rows]


def brainstorm(name: str, recipe: Recipe) -> BrainstormChain:
    """Returns the chain of a recipe; raises RecipeError or PromptError for what it cannot write with."""
    settings = recipe.synthesize.brainstorm
    check_split(recipe.llm_of("synthesize"), settings.tasks_model, "synthesize.brainstorm.tasks_model")
    taxonomy = read_taxonomy(settings.taxonomy)
    language_weights(settings, taxonomy.value)
    plan = Plan(settings, taxonomy.value)
    prompts: dict[str, prompting.Prompt] = {}
    for name_of_group in plan.rows:
        group = taxonomy.value.groups[name_of_group]
        offered = {*group.draw, "language", *(["language_2"] if group.languages > 1 else [])}
        offered |= {"task"} if group.tasks is not None else set()
        try:
            prompts[name_of_group] = prompting.load(
                prompting.source_of(recipe.prompts, group.prompt), TripleAnswer, offered
            )
        except prompting.PromptError as error:
            raise taxonomy.wrong(("groups", name_of_group, "prompt"), str(error)) from error
    chain = BrainstormChain(
        name,
        plan,
        prompting.load(prompting.source_of(recipe.prompts, TASKS_PROMPT), TasksAnswer, TASKS_INPUTS),
        prompts,
        taxonomy.digest,
    )
    check_prompt_ids(chain.prompts)
    return chain
