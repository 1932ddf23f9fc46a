"""The results as markdown: a row per seed, a row per arm."""

import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from training.retrieval import Floats, interval
from training.trials import Trial


def tables(trials: Sequence[Trial], component: Sequence[str], titles: Mapping[str, str]) -> list[str]:
    """Returns the lines of both tables; `component` is that of each query, in the order of ids.

    `titles` are those of the arms, in the order of their lines.
    """
    before, *trained = trials
    ndcg, mrr = float(before.measured.ndcg.mean()), float(before.measured.mrr.mean())
    lines = [f"As packaged: nDCG@10 {ndcg:.4f}, MRR@10 {mrr:.4f}. After training, by seed:", ""]
    lines += ["| trained on | seed | nDCG@10 | gain | MRR@10 | gain | loss, first to last quarter | weights moved |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
    lines += [_seed_line(each, ndcg, mrr, titles) for each in trained]
    lines += ["", "| trained on | mean gain, nDCG@10 | standard deviation | 95 % by queries | mean gain, MRR@10 |"]
    lines[-1] += " standard deviation |"
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    arms = [arm for arm in titles if any(each.arm == arm for each in trained)]
    lines += [_arm_line(arm, titles[arm], before, trained, component) for arm in arms]
    return lines


def gains(arm: str, before: Trial, trained: Sequence[Trial]) -> list[float]:
    """Returns an arm's gains in mean nDCG@10, by seed."""
    return [float((each.measured.ndcg - before.measured.ndcg).mean()) for each in trained if each.arm == arm]


def _seed_line(trial: Trial, ndcg: float, mrr: float, titles: Mapping[str, str]) -> str:
    after, ranked, course = float(trial.measured.ndcg.mean()), float(trial.measured.mrr.mean()), trial.course
    if trial.arm is None or course is None:
        raise ValueError("the trial without training has no line of its own")
    return (
        f"| {titles[trial.arm]} | {trial.seed} | {after:.4f} | {after - ndcg:+.4f} | {ranked:.4f} "
        f"| {ranked - mrr:+.4f} | {course.first_loss:.2f} to {course.last_loss:.2f} | {course.moved:.2%} |"
    )


def _arm_line(arm: str, title: str, before: Trial, trained: Sequence[Trial], component: Sequence[str]) -> str:
    own = [each for each in trained if each.arm == arm]
    by_query: Floats = np.mean([each.measured.ndcg - before.measured.ndcg for each in own], axis=0)
    low, high = interval(by_query, component)
    ranked = [float((each.measured.mrr - before.measured.mrr).mean()) for each in own]
    cells = [mean_and_spread(gains(arm, before, trained)), f"{low:+.4f} to {high:+.4f}", mean_and_spread(ranked)]
    return f"| {title} | {' | '.join(cells)} |"


def mean_and_spread(found: Sequence[float]) -> str:
    """Returns the cells for a mean and a standard deviation."""
    spread = f"{statistics.stdev(found):.4f}" if len(found) > 1 else "-"
    return f"{statistics.mean(found):+.4f} | {spread}"
