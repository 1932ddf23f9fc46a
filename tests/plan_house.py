"""What tests and benchmark of `oreline plan` share: a recipe on its way through the line, planned and paid at stops."""

import contextlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

from oreline.cli import main
from oreline.llm.spending import Spending, spent
from oreline.recipe.loading import load_recipe
from oreline.running import run

from gemini_server import GeminiServer


@dataclass(frozen=True)
class Planned:
    """What a plan said of one stage: dollars from low to high, and whether its requests were counted."""

    when: str
    stage: str
    exact: bool
    requests: tuple[float, float, float]
    dollars: tuple[float, float, float]
    paid: float
    """Dollars that the stage had cost by then."""


@dataclass
class Course:
    """A recipe's course through the line, and what was planned on the way."""

    recipe: str
    plans: list[Planned] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, source: Path, server: GeminiServer, size: tuple[int, int], **more: str) -> "Course":
        """Writes a recipe over so many documents of a source, so many of which are written for.

        `more` are `llm`, further keys of that section, and `sections`, further lines.
        """
        recipe = folder / "recipe.yaml"
        recipe.write_text(
            f"output: {folder / 'out'}\nsources: [{{path: {source}, limit: {size[0]}}}]\n"
            f"llm: {{model: gemini-3.5-flash-lite, base_url: '{server.url}', server: local{more.get('llm', '')}}}\n"
            f"synthesize: {{writers: [retrieval/fret], sample: {size[1]}}}\n{more.get('sections', '')}"
        )
        return cls(str(recipe))

    def plan(self, when: str, *arguments: str) -> None:
        """Plans as the command line does, and keeps what it said."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main(["plan", self.recipe, "--json", *arguments])
        if code != 0:
            raise AssertionError(f"plan ended with {code}")
        spending = self.spending()
        for each in json.loads(out.getvalue())["calls"]:
            stage, paid = each["stage"], spending.stages.get(each["stage"])
            dollars = paid.nanodollars / 1e9 if paid else 0.0
            requests = tuple(each["requests"])
            self.plans.append(Planned(when, stage, each["exact"], requests, tuple(each["dollars"]), dollars))

    def run(self, until: str | None = None) -> None:
        """Runs the recipe as far as a stage."""
        run(self.recipe, until=until)

    def spending(self) -> Spending:
        """Returns what was paid by now."""
        recipe = load_recipe(self.recipe).recipe
        return spent(recipe.output, recipe.cache_folder) if Path(recipe.output, "_id").exists() else Spending()

    def bill(self, plan: Planned) -> float:
        """Returns the dollars that a stage has cost since a plan."""
        found = self.spending().stages.get(plan.stage)
        return (found.nanodollars / 1e9 if found else 0.0) - plan.paid

    def misses(self) -> list[str]:
        """Returns a sentence for each plan of a stage that its bill lies outside of."""
        return [
            f"{each.when}: {each.stage} costs {self.bill(each):.6f}, planned {each.dollars}"
            for each in self.plans
            if not each.dollars[0] <= self.bill(each) <= each.dollars[2]
        ]

    def exact(self, when: str) -> list[str]:
        """Returns the stages whose requests a plan counted."""
        return [each.stage for each in self.plans if each.when == when and each.exact]
