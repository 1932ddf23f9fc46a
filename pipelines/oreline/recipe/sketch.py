"""The recipes that `oreline init` writes: for a corpus, and for the demo."""

import os
import re
from collections.abc import Mapping, Sequence

from oreline.recipe.document import parse_value
from oreline.recipe.look import Look, has_text, look
from oreline.sources.formats import without_endings

DEMO = """\
# The demo: training triples from the documentation of Python's own standard library.
# No model is asked: queries are extractive, vectors come from the packaged MiniLM on the CPU.
output: out/demo
sources:
  - path: stdlib            # the library of the Python that runs oreline; read, never imported
    format: python-docs     # docstrings of modules, classes and functions
    dataset: python-docs
    limit: 1500             # documents, chosen by a hash of their ids
encoder: {model: minilm}
synthesize: {writers: [extractive/title, extractive/inverse_cloze]}
"""
"""The recipe of `make demo` and `oreline init --demo`; `examples/demo.yaml` is the same text."""

KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
MODEL = "gemini-3.5-flash-lite"
_NAME = re.compile(r"[^A-Za-z0-9._-]")


def sketch(path: str, environment: Mapping[str, str]) -> str:
    """Returns a commented recipe for what stands at a local path.

    The model is switched on if `environment` holds a key for it, else commented out. Raises CallError if there is
    nothing to read.
    """
    looks = look(path)
    output = f"out/{_dataset(path)}"
    key = next((name for name in KEYS if environment.get(name)), None)
    lines = [
        "# A recipe for oreline; every other key has a default (schemas/recipe.schema.json lists them all).",
        "# Paths are relative to the folder in which `oreline` is called.",
        f"output: {yaml_text(output)}",
        "",
        "sources:",
    ]
    for each in looks:
        lines += _source(each)
    writes = not all(each.pairs for each in looks)
    lines += ["", *_llm(key, writes=writes), "", *_rest(writes=writes)]
    return "\n".join(lines) + "\n"


def _source(found: Look) -> list[str]:
    what = f"{found.files:,} {'file' if found.files == 1 else 'files'}" if found.format != "beir" else "a BEIR folder"
    lines = [f"  - path: {yaml_text(found.path)}  # {what}"]
    lines.append(f"    format: {found.format}" if found.format else "    # markdown and text, told by the files' names")
    name = os.path.basename(os.path.abspath(found.path))
    dataset = _dataset(found.path)
    if dataset != without_endings(name):
        lines.append(f"    dataset: {yaml_text(dataset)}  # the name in all ids")
    if found.columns:
        lines.append(f"    # columns found: {_one_line(', '.join(found.columns))}")
        if not has_text(found.columns):
            lines.append(
                f"    columns: {{text: {yaml_text(found.columns[0])}}}  # which column holds the text? Check this"
            )
    if found.pairs:
        lines.append(f"    # pairs found: {_one_line(found.pairs)}; they are used, and no queries are written for them")
    if found.format == "beir" and found.pairs:
        lines.append("    positive_from: 1  # least grade of a positive; 0 or less: a known negative")
    for kind, number in found.others:
        files = "file" if number == 1 else "files"
        lines.append(f"    # left out: {number:,} {kind} {files}; add {{path: ..., format: {kind}}} to read them")
    return lines


def _llm(key: str | None, *, writes: bool) -> list[str]:
    if key is not None:
        does = "writes and rates queries, and judges candidates" if writes else "judges candidates"
        return [
            f"# {key} is set, so a model {does}. Without llm, none is asked.",
            f"llm: {{provider: gemini, model: {MODEL}, budget_usd: 5}}",
        ]
    without = ": queries are extractive" if writes else ", and nothing is judged"
    return [
        f"# No model is asked{without}. With GEMINI_API_KEY or GOOGLE_API_KEY set, take out the # below:",
        f"# llm: {{provider: gemini, model: {MODEL}, budget_usd: 5}}",
    ]


def _rest(*, writes: bool) -> list[str]:
    numbers = "# synthesize: {per_document: 2, sample: 500}   # queries per document; about how many documents"
    written = [numbers] if writes else []
    return [
        "encoder: {model: minilm}   # the model you train: a hub id or a folder; minilm is packaged (extra `demo`)",
        *written,
        "# select: {negatives: 4, window: [1, 10], pick: random}",
        "# export: {formats: [sentence-transformers]}   # or jsonl",
    ]


def _dataset(path: str) -> str:
    """Returns the name that ingest gives a local path, or one that it takes where it finds none."""
    name = os.path.basename(os.path.abspath(path))
    return _NAME.sub("-", without_endings(name)).strip("-.") or "corpus"


def yaml_text(text: str) -> str:
    """Returns a text as a YAML scalar, quoted where it would mean something else."""
    plain = re.fullmatch(r"[A-Za-z0-9_./~][A-Za-z0-9_./~+@=-]*", text) is not None
    if plain and parse_value(text, text) == text:
        return text
    return '"' + "".join(_escaped(sign) for sign in text) + '"'


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return "\\" + sign
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


def next_commands(recipe: str) -> Sequence[str]:
    """Returns the commands to type after `oreline init`."""
    shown = recipe if re.fullmatch(r"[A-Za-z0-9_./+@=-]+", recipe) else "'" + recipe.replace("'", "'\\''") + "'"
    return [f"oreline plan {shown}", f"oreline run {shown}"]
