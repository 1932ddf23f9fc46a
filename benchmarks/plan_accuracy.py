"""What `oreline plan` says at each point of a run, beside what the rest of the run then costs.

    GEMINI_API_KEY=local-key PYTHONPATH=pipelines:tests python benchmarks/plan_accuracy.py DATA/medquad-sample
        [--documents 200] [--sample 100]

The server is a thread of this process: its tokens are 4 characters each, and it answers with words of the prompt. Three
courses through the whole line: undisturbed; with one call in ten failing and one answer in ten unusable; with two
models of different prices. At every stop all stages that are still to come are planned, and the end tells what each of
them cost from then on. Prints a table and writes it to benchmarks/results/.
"""

import argparse
import platform
import tempfile
import time
from pathlib import Path

from plan_house import Course, Planned

from gemini_server import GeminiServer

RESULT = Path(__file__).parent / "results" / "plan_accuracy.md"
STOPS = ("dedup", "synthesize", "filter", "mine")
SECOND_MODEL = ", further_models: [{model: gemini-3.8-flash, thinking_budget: 0}]"


def main() -> None:
    """Runs the three courses and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="a BEIR folder with pairs")
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--sample", type=int, default=100)
    given = parser.parse_args()
    size = given.documents, given.sample
    setting = (
        f"# What was planned and what it cost\n\n{platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}; {given.source.name}, {size[0]:,} documents, of which {size[1]:,} are written "
        "for, two queries each. Dollars; `*`: requests counted, not predicted.\n"
    )
    parts = [
        setting,
        _section("Undisturbed", given.source, size),
        _section("One call in ten fails, one answer in ten is unusable", given.source, size, faulty=True),
        _section("Two models of different prices", given.source, size, llm=SECOND_MODEL),
    ]
    text = "\n".join(parts)
    print(text)
    RESULT.write_text(text, encoding="utf-8")


def _section(title: str, source: Path, size: tuple[int, int], *, faulty: bool = False, llm: str = "") -> str:
    with tempfile.TemporaryDirectory() as folder, GeminiServer() as server:
        if faulty:
            server.fault("server", share=0.1)
            server.fault("malformed", share=0.2)  # drawn alike: the half that is no server error
        course = Course.of(Path(folder), source, server, size, llm=llm)
        seconds = [_planned(course, "nothing was run"), _planned(course, "nothing was run, --offline", "--offline")]
        for stage in STOPS:
            course.run(stage)
            seconds.append(_planned(course, f"after {stage}"))
        course.run()
        rows = [_row(course, each) for each in course.plans]
        misses = course.misses()
    inside = f"{len(course.plans) - len(misses)} of {len(course.plans)} bills lie inside their range"
    head = "| planned | stage | requests | low | expected | high | bill | inside |"
    ruler = "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    took = f"A plan took {min(seconds):.1f} to {max(seconds):.1f} s of processor time."
    return "\n".join([f"## {title}", "", head, ruler, *rows, "", f"{inside}. {took}", ""])


def _planned(course: Course, when: str, *arguments: str) -> float:
    begun = time.process_time()
    course.plan(when, *arguments)
    return time.process_time() - begun


def _row(course: Course, plan: Planned) -> str:
    bill, (low, expected, high) = course.bill(plan), plan.dollars
    least, _, most = plan.requests
    requests = f"{least:,.0f}" if round(least) == round(most) else f"{least:,.0f} to {most:,.0f}"
    inside = "yes" if low <= bill <= high else "NO"
    mark = "\\*" if plan.exact else ""
    numbers = " | ".join(f"{number:.4f}" for number in (low, expected, high, bill))
    return f"| {plan.when} | {plan.stage} | {requests}{mark} | {numbers} | {inside} |"


if __name__ == "__main__":
    main()
