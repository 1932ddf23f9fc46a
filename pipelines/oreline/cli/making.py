"""The commands that write something: init, plan, run, export."""

import json
import os
import sys
import time

import click

from oreline.cli.options import Session, print_in_terminal, recipe_options, verbose

_RUN_EPILOG = """\b
Examples:
  oreline run recipe.yaml
  oreline run recipe.yaml --until filter
  oreline run recipe.yaml --set select.negatives=8 --set sources.0.path=docs
  oreline run recipe.yaml --from out/old --set output=out/new --set encoder.model=checkpoints/1
  oreline run recipe.yaml -- --direct_runner_bundle_repeat=1

\b
Exit codes: 0 done; 2 the recipe or the call is wrong, nothing was spent; 3 a stage failed, or no triple
came out; 4 stopped at the budget or a quota, run it again to go on; 130 interrupted, run it again to go on.
"""


@click.command(
    epilog="""\b
Examples:
  oreline init docs/                  a recipe for a folder of markdown, text, jsonl, parquet, BEIR...
  oreline init --demo                 the demo's recipe: Python's own documentation, no key needed
  oreline init --prompts my-prompts   the prompts, to be edited
"""
)
@click.argument("path", required=False, type=click.Path())
@click.option("--demo", is_flag=True, help="Write the demo's recipe.")
@click.option("--prompts", metavar="DIR", type=click.Path(), help="Copy the prompts there, for editing.")
@click.option("--recipe", "target", default="recipe.yaml", show_default=True, type=click.Path(), help="File to write.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@verbose
def init(path: str | None, *, demo: bool, prompts: str | None, target: str, force: bool) -> None:
    """Look at PATH and write a commented recipe for it."""
    from oreline.recipe.starting import start

    if demo and path is not None:
        raise click.UsageError("--demo has a corpus of its own; give a PATH or --demo, not both")
    for line in start(path, demo=demo, prompts=prompts, target=target, force=force, environment=os.environ):
        click.echo(line)


@click.command()
@recipe_options
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.option("--offline", is_flag=True, help="Estimate tokens instead of having the provider count some, for nothing.")
def plan(
    *,
    recipe: str,
    only: str | None,
    until: str | None,
    overrides: tuple[str, ...],
    adopt_from: str | None,
    as_json: bool,
    offline: bool,
) -> None:
    """Show what a run would do and cost. Spends nothing.

    Stage by stage: what runs, what is there already and why; calls to models, tokens, dollars and time, with ranges.
    A key is not needed; with one, the provider counts the tokens of some prompts, which is free.
    """
    from oreline.recipe.loading import load_recipe

    loaded = load_recipe(recipe, overrides)  # before Beam is imported: a wrong recipe is told at once
    from oreline.adoption import with_old_cache
    from oreline.forecast.counters import at_the_provider, nowhere
    from oreline.forecast.telling import Telling
    from oreline.forecast.whole import forecast
    from oreline.preflight import check, dedup_told, judge_told, mine_told
    from oreline.reports.plan import plan_json, plan_report

    loaded = with_old_cache(loaded, adopt_from)
    planned = check(loaded, only=only, until=until, adopt_from=adopt_from, access=False)
    counter = nowhere if offline else at_the_provider
    telling = Telling(sys.stderr, time.monotonic)
    costs = forecast(
        loaded.recipe, planned, adopt_from=adopt_from, counter=counter, progress=telling, during=telling.during
    )
    if as_json:
        click.echo(json.dumps(plan_json(planned, costs), ensure_ascii=False, indent=2))
        return
    print_in_terminal(plan_report(planned, costs))
    for told in (
        *dedup_told(loaded.recipe, planned),
        *mine_told(loaded.recipe, planned),
        *judge_told(loaded.recipe, planned),
    ):
        click.echo(told)


@click.command(epilog=_RUN_EPILOG)
@recipe_options
@click.option(
    "--examples",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Triples printed at the end, to be looked at.",
)
@click.argument("beam_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- BEAM OPTIONS]")
@click.pass_obj
def run(
    session: Session,
    *,
    recipe: str,
    only: str | None,
    until: str | None,
    overrides: tuple[str, ...],
    adopt_from: str | None,
    examples: int,
    beam_options: tuple[str, ...],
) -> None:
    """Run RECIPE, every stage that is not there yet.

    It ends with a table of fates by stage, a few triples, and the paths written.
    Relative paths in RECIPE are relative to the folder in which oreline is called. What is finished is not done again.
    """
    from oreline.recipe.loading import load_recipe

    loaded = load_recipe(recipe, overrides)  # before Beam is imported: a wrong recipe is told at once
    from oreline import running
    from oreline.reports.ending import ending

    if "://" not in loaded.recipe.output:
        session.log = os.path.join(loaded.recipe.output, "run.log")
    result = running.run(
        recipe,
        only=only,
        until=until,
        adopt_from=adopt_from,
        overrides=overrides,
        beam_options=beam_options,
        verbose=session.verbose,
    )
    print_in_terminal(ending(result, examples, loaded.recipe.seed))


@click.command()
@click.argument("output", type=click.Path())
@click.option("--to", "form", required=True, metavar="FORMAT", help="sentence-transformers or jsonl.")
@verbose
def export(output: str, form: str) -> None:
    """Write OUTPUT's triples as another trainer's files."""
    from oreline.exporters.again import export_again, paths_of

    for path in paths_of(output, export_again(output, form), form):
        click.echo(f"wrote {path}")
