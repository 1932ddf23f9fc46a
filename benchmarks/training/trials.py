"""Trials: the packaged model trained on some rows with one seed, measured on queries that were held out."""

import hashlib
import multiprocessing
import os
import pickle
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from itertools import repeat
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging

from oreline.encoders.models import model_folder

from training.heldout import Labelled
from training.loop import Course, Settings, train
from training.retrieval import Measured, evaluate
from training.rows import Row


@dataclass(frozen=True)
class Task:
    """How models are trained and what is asked of them: the queries of `asked` over all of `documents`."""

    documents: dict[str, tuple[str, str]]
    asked: Labelled
    settings: Settings
    device: str = "cpu"


@dataclass(frozen=True)
class Planned:
    """An arm with the rows that it trains on with a seed."""

    arm: str
    seed: int
    rows: Sequence[Row]


@dataclass(frozen=True)
class Trial:
    """An arm, a seed, and what came of it; without an arm, the model as packaged. `seconds` are of training alone."""

    arm: str | None
    seed: int
    measured: Measured
    course: Course | None
    seconds: float


def run_trials(task: Task, plan: Sequence[Planned], kept: Path | None = None) -> list[Trial]:
    """Returns the trial without training, then the planned ones in their order.

    On a CPU each trial is a process with one thread, so that its result depends neither on the others nor on their
    number; on another device they follow each other. `kept` is a folder where finished trials lie: what is there is
    not made again.
    """
    every: list[Planned | None] = [None, *plan]
    files = [kept / f"{_digest(task, each)}.pickle" if kept is not None else None for each in every]
    there = [file is not None and file.exists() for file in files]
    missing = [(each, file) for each, file, done in zip(every, files, there, strict=True) if not done]
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() if task.device == "cpu" else 1, mp_context=spawn) as pool:
        made = pool.map(_trial, repeat(task), *zip(*missing, strict=True)) if missing else iter(())
        return [
            _load(file) if done and file is not None else next(made) for file, done in zip(files, there, strict=True)
        ]


def _trial(task: Task, planned: Planned | None, file: Path | None) -> Trial:
    trial = _run(task, planned)
    name = f"{trial.arm}, seed {trial.seed}" if trial.arm else "as packaged"
    ndcg, mrr = trial.measured.ndcg.mean(), trial.measured.mrr.mean()
    print(f"{name}: nDCG@10 {ndcg:.4f}, MRR@10 {mrr:.4f}, {trial.seconds:.0f} s", flush=True)
    if file is not None:
        part = file.with_suffix(".part")
        part.write_bytes(pickle.dumps(trial))
        part.rename(file)
    return trial


def _load(file: Path) -> Trial:
    trial: Trial = pickle.loads(file.read_bytes())  # noqa: S301 - a file that `_trial` wrote
    return trial


def _run(task: Task, planned: Planned | None) -> Trial:
    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers types it not
    model = SentenceTransformer(model_folder("minilm"), local_files_only=True, device=task.device)
    started, course = time.monotonic(), None
    if planned is not None:
        course = train(model, planned.rows, planned.seed, task.settings)
    seconds = time.monotonic() - started
    settings = task.settings
    found = evaluate(model, task.documents, task.asked, length=settings.length, bfloat16=settings.bfloat16)
    return Trial(planned.arm if planned else None, planned.seed if planned else 0, found, course, seconds)


def _digest(task: Task, planned: Planned | None) -> str:
    asked = sorted((i, text, sorted(task.asked.positives[i])) for i, text in task.asked.queries.items())
    rows = [astuple(row) for row in planned.rows] if planned else []
    parts = (sorted(task.documents.items()), asked, astuple(task.settings), task.device)
    arm = (planned.arm, planned.seed) if planned else ("", 0)
    return hashlib.sha256(repr((parts, arm, rows)).encode()).hexdigest()[:24]
