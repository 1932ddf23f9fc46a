"""What the tests of whole runs share: a small folder of pages, and `oreline` in a process of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

ORELINE = (sys.executable, "-m", "oreline")

PAGES = {
    "bread": """# Sourdough bread

A sourdough starter is a culture of flour and water in which wild yeast and lactic acid bacteria live.
Feed the starter with equal weights of flour and water every day and keep it near twenty four degrees.

## Baking the loaf

Heat the oven with a cast iron pot for forty minutes before the loaf goes in.
Steam in the closed pot keeps the crust soft while the loaf rises, so take the lid off only after twenty minutes.
""",
    "bees": """# Keeping honey bees

A colony of honey bees needs about fifteen kilograms of stored honey to survive a northern winter.
Varroa mites are counted in August by shaking half a cup of bees with powdered sugar over a white tray.

## Swarming

A crowded hive raises new queens in May and half of the workers leave with the old queen.
Adding an empty box above the brood nest before the lime trees flower prevents most swarms.
""",
    "tides": """# Why tides differ

The moon pulls the nearer side of the ocean more strongly than the far side, which raises two bulges of water.
Spring tides come when sun and moon stand in one line, neap tides when they stand at a right angle.

## Narrow bays

In the Bay of Fundy the water sloshes with nearly the period of the tide and rises by sixteen metres.
""",
    "bicycle": """# Adjusting a bicycle derailleur

Turn the barrel adjuster a quarter turn counterclockwise when the chain hesitates to climb to a larger sprocket.
Limit screws keep the chain from falling into the spokes, so set the low limit before touching cable tension.
""",
    "glaciers": """# How glaciers flow

Ice under a glacier deforms slowly under its own weight, and meltwater at the bed lets the whole mass slide.
Stakes drilled into the ice are surveyed twice a year to measure velocity and surface lowering.
""",
    "violin": """# Tuning a violin

Tune the A string to 440 hertz first and the other strings in perfect fifths from it.
Pegs that slip in dry weather hold again after a little chalk and peg compound on the contact bands.
""",
    "compost": """# Hot compost

A compost heap heats to sixty degrees when carbon and nitrogen stand at thirty to one.
Turn the heap when its core temperature falls below fifty, so that the outer layers are heated too.
""",
    "lighthouse": """# Fresnel lenses

A Fresnel lens replaces the thick glass of a lighthouse lens by concentric prisms that weigh a tenth as much.
Each lighthouse flashes with a period of its own, by which sailors recognise it on the chart.
""",
}
"""Pages on distinct subjects; two of them have several sections."""


def write_pages(folder: Path) -> Path:
    """Writes the pages into `folder/docs` and returns that folder."""
    docs = folder / "docs"
    docs.mkdir(parents=True)
    for name, text in PAGES.items():
        (docs / f"{name}.md").write_text(text, encoding="utf-8")
    return docs


def environment(**variables: str) -> dict[str, str]:
    """Returns the environment of a run: this process's without keys, and `variables`."""
    own = {name: value for name, value in os.environ.items() if name not in ("GEMINI_API_KEY", "GOOGLE_API_KEY")}
    pipelines = str(Path(__file__).parent.parent / "pipelines")
    return {**own, "PYTHONPATH": pipelines, "COLUMNS": "200", **variables}


def oreline(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs `oreline` in `folder` and returns how it ended."""
    process = begin(folder, *arguments, variables=variables)
    try:
        out, err = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def begin(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """Starts `oreline` in `folder`, in a process group of its own."""
    return subprocess.Popen(
        [*ORELINE, *arguments],
        cwd=folder,
        env=environment(**(variables or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def files_of(folder: Path) -> list[str]:
    """Returns the files below a folder as sorted relative paths; empty if it is not there."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def wait_until(process: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    """Waits until `condition` holds; fails if the process ends first."""
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"the run ended first:\n{process.communicate()[1]}")
        threading.Event().wait(0.01)
