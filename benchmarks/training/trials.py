"""Trials: the packaged model trained on one set of rows with one seed, measured on queries that were held out."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, get_args

import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging

from oreline.encoders.models import model_folder

from training.heldout import Labelled
from training.loop import Course, Settings, train
from training.retrieval import Measured, evaluate
from training.rows import Row, shuffled, without_negatives

Arm = Literal["mined", "pairs", "shuffled"]
ARMS: tuple[Arm, ...] = get_args(Arm)
TITLES: dict[Arm, str] = {
    "mined": "triples as exported",
    "pairs": "the same pairs, mined negatives left out",
    "shuffled": "control: positives shuffled",
}


@dataclass(frozen=True)
class Task:
    """What is trained on and what is asked: the queries of `asked` over all of `documents`."""

    rows: Sequence[Row]
    documents: dict[str, tuple[str, str]]
    asked: Labelled
    settings: Settings


@dataclass(frozen=True)
class Trial:
    """An arm, a seed, and what came of it; without an arm, the model as packaged. `seconds` are of training alone."""

    arm: Arm | None
    seed: int
    measured: Measured
    course: Course | None
    seconds: float


def run_trials(task: Task, arms: Sequence[Arm], seeds: int) -> list[Trial]:
    """Returns the trial without training, then one for each arm and seed.

    Each trial is a process with one thread, so that its result depends neither on the others nor on their number.
    """
    plan: list[tuple[Arm | None, int]] = [(None, 0), *((arm, seed + 1) for arm in arms for seed in range(seeds))]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        return list(pool.map(_trial, repeat(task), *zip(*plan, strict=True)))


def arm_rows(rows: Sequence[Row], arm: Arm, seed: int) -> Sequence[Row]:
    """Returns the rows that an arm trains on: the same anchors in the same order, whatever the arm."""
    if arm == "shuffled":
        return shuffled(rows, seed)
    return without_negatives(rows) if arm == "pairs" else rows


def _trial(task: Task, arm: Arm | None, seed: int) -> Trial:
    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers types it not
    model = SentenceTransformer(model_folder("minilm"), local_files_only=True)
    started, course = time.monotonic(), None
    if arm is not None:
        course = train(model, arm_rows(task.rows, arm, seed), seed, task.settings)
    seconds = time.monotonic() - started
    settings = task.settings
    found = evaluate(model, task.documents, task.asked, length=settings.length, bfloat16=settings.bfloat16)
    name = f"{TITLES[arm]}, seed {seed}" if arm else "as packaged"
    print(f"{name}: nDCG@10 {found.ndcg.mean():.4f}, MRR@10 {found.mrr.mean():.4f}, {seconds:.0f} s", flush=True)
    return Trial(arm, seed, found, course, seconds)
