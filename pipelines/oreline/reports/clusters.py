"""Clusters as `oreline show` prints them: the keeper first, then its duplicates with what is different marked."""

import re
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from oreline.errors import CallError
from oreline.ids import Json
from oreline.records import Reject
from oreline.reports.differences import CHARACTERS, difference
from oreline.reports.duplicates import Cluster, clusters_of, compares_rows
from oreline.reports.finished import manifests_of
from oreline.reports.plain import Report, cut, visible, words
from oreline.reports.rows import value_line
from oreline.tables.manifest import Manifest

TEXT_CHARACTERS = 200
SHOWN_MEMBERS = 8
"""Members of a cluster that are printed; the JSON form has up to `duplicates.MOST_MEMBERS`."""

_SIMILARITY = re.compile(r"\b(?:similarity|cosine) (?:of )?(\d(?:\.\d+)?)")
_EQUAL = frozenset({"merged", "exact_duplicate"})


def clusters(output: str, manifests: Mapping[str, Manifest], limit: int, seed: int, *, as_json: bool) -> Report:
    """Returns at most `limit` clusters of each stage, the largest first; ties by the keeper's id.

    A cluster is a keeper and the rows that were dropped or merged for it, each with its reason, its similarity to
    the keeper as the stage states it, and the words in which it differs. As JSON: a line per cluster. Raises CallError
    if no stage here compares rows.
    """
    del seed  # clusters are ranked, not drawn
    compared = [name for name, manifest in manifests.items() if compares_rows(manifest)]
    if not compared:
        raise CallError(f"{output}: clusters come from dedup and filter; finished here: {', '.join(manifests)}")
    every = manifests_of(output)  # texts may stand in other stages than those that are asked for
    report: Report = []
    for stage in compared:
        found = clusters_of(output, every, stage, limit)
        if as_json:
            report += [_line(stage, each) for each in found.largest]
            continue
        heading = f"{stage}: {found.clusters:,} clusters, {found.rows:,} rows in them besides their keepers\n"
        report += [words(heading, "bold"), *(_card(each) for each in found.largest)]
    return report


def similarity_of(member: Reject) -> float | None:
    """Returns a member's similarity to its keeper, 0 to 1, as its detail states it; None if it does not."""
    stated = _SIMILARITY.search(member.detail)
    if stated is not None:
        return float(stated[1])
    return 1.0 if member.reason in _EQUAL else None


def _card(cluster: Cluster) -> Group:
    head = words(visible(cluster.keeper), "bold green")
    head.append(f"  kept, {cluster.size:,} for it", style="dim")
    if cluster.dropped is not None:
        head.append(f"; dropped later: {cluster.dropped.reason}, {visible(cluster.dropped.detail)}", style="yellow")
    lines: list[RenderableType] = [head]
    if cluster.text is not None:
        lines.append(Padding(words(cut(cluster.text, TEXT_CHARACTERS)), (0, 0, 0, 2)))
    for member in cluster.members[:SHOWN_MEMBERS]:
        lines += _member_lines(member, cluster.text)
    more = cluster.size - SHOWN_MEMBERS
    if more > 0:
        lines.append(Padding(words(f"and {more:,} more", "dim"), (0, 0, 0, 2)))
    return Group(*lines, Text(""))


def _member_lines(member: Reject, keeper: str | None) -> list[RenderableType]:
    similarity = similarity_of(member)
    shown = "" if similarity is None else f"{similarity:.3f}  "
    head = words(f"- {shown}{visible(member.row_id)}", "yellow")
    head.append(f"  {member.reason}: {visible(member.detail)}", style="dim")
    lines: list[RenderableType] = [Padding(head, (0, 0, 0, 2))]
    if member.payload and keeper is not None:
        found = difference(keeper, member.payload)
        within = f" in the first {CHARACTERS:,} characters" if len(member.payload) >= CHARACTERS else ""
        lines.append(Padding(found if found.differs else words(f"no word differs{within}", "dim"), (0, 0, 0, 4)))
    elif member.payload:
        lines.append(Padding(words(cut(member.payload, TEXT_CHARACTERS)), (0, 0, 0, 4)))
    return lines


def _line(stage: str, cluster: Cluster) -> str:
    return value_line(
        {
            "stage": stage,
            "keeper": cluster.keeper,
            "text": cluster.text,
            "size": cluster.size,
            "dropped": None if cluster.dropped is None else cluster.dropped.reason,
            "members": [_member_json(member, cluster.text) for member in cluster.members],
        }
    )


def _member_json(member: Reject, keeper: str | None) -> Json:
    differing: Json = None
    if member.payload and keeper is not None:
        differing = [[piece.kind, piece.text.strip()] for piece in difference(keeper, member.payload).pieces]
    return {
        "id": member.row_id,
        "reason": member.reason,
        "similarity": similarity_of(member),
        "detail": member.detail,
        "payload": member.payload,
        "differences": differing,
    }
