"""The commands that look at what is there: show, calibrate, compare, doctor, completion."""

import click

from oreline.cli.options import print_in_terminal, verbose
from oreline.errors import CallError


@click.command()
@click.argument("path", type=click.Path())
@click.option("--rejects", is_flag=True, help="What was dropped, and why.")
@click.option("--clusters", is_flag=True, help="Duplicates with the document that was kept.")
@click.option("--contamination", is_flag=True, help="What training rows and benchmarks have in common.")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="Rows shown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@verbose
def show(path: str, *, rejects: bool, clusters: bool, contamination: bool, limit: int, as_json: bool) -> None:
    """Show any table, stage, output or journal in the terminal."""
    from oreline.reports.show import show as show_path

    print_in_terminal(
        show_path(path, rejects=rejects, clusters=clusters, contamination=contamination, limit=limit, as_json=as_json)
    )


@click.command(
    epilog="""\b
Examples:
  oreline calibrate out/handbook
  oreline calibrate out/handbook --html calibration.html
  oreline calibrate out/nl2bash --labels qrels/all.tsv    positives that the run was not shown
  oreline run recipe.yaml --set 'select.ceiling={margin: 0.05}'    selects again, in seconds
"""
)
@click.argument("output", type=click.Path())
@click.option("--html", metavar="FILE", type=click.Path(dir_okay=False), help="Write curves and tables as one page.")
@click.option("--labels", metavar="QRELS", type=click.Path(dir_okay=False), help="Pairs to tell false negatives by.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@verbose
def calibrate(output: str, *, html: str | None, labels: str | None, as_json: bool) -> None:
    """Show what other ceilings would give, and suggest one.

    From OUTPUT's stored candidates: rows with all negatives and with at least one, how hard they are, and how many are
    relevant as far as a judge or labels know. Nothing is encoded, searched or asked.
    """
    from oreline.reports.calibrate import calibrate_report

    print_in_terminal(calibrate_report(output, html=html, labels=labels, as_json=as_json))


@click.command(
    epilog="""\b
Examples:
  oreline compare out/first out/second
  oreline run recipe.yaml --from out/first --set output=out/second --set encoder.model=checkpoints/1
  oreline compare out/first out/second --limit 10     mine, train, mine: what the checkpoint changed
"""
)
@click.argument("old", type=click.Path())
@click.argument("new", type=click.Path())
@click.option("--limit", type=click.IntRange(0), default=3, show_default=True, help="Changed rows shown with texts.")
@click.option("--json", "as_json", is_flag=True, help="Print everything but the rows as JSON.")
@verbose
def compare(old: str, new: str, *, limit: int, as_json: bool) -> None:
    """Show what two outputs differ in, and why.

    Settings, stages taken over, drops by reason, rows, positives and negatives that changed, how hard negatives are;
    and which negatives moved because of select's settings, which because of the encoder or other inputs.
    """
    from oreline.reports.compare import compare_report

    print_in_terminal(compare_report(old, new, limit=limit, as_json=as_json))


@click.command()
@verbose
def doctor() -> None:
    """Show what is installed and what is missing.

    Versions, extras, GPU, which keys are present (never the keys), runner and disk.
    """
    from oreline.reports.doctor import doctor as look
    from oreline.reports.doctor import doctor_table

    print_in_terminal([doctor_table(look())])


@click.command(
    epilog="""\b
Examples:
  oreline completion bash >> ~/.bashrc
  oreline completion zsh  >> ~/.zshrc
  oreline completion fish > ~/.config/fish/completions/oreline.fish
"""
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise CallError(f"click knows no completion for {shell}")
    click.echo(kind(click.get_current_context().find_root().command, {}, "oreline", "_ORELINE_COMPLETE").source())
