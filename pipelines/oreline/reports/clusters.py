"""Clusters: duplicates beside the rows that stayed for them."""

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from oreline.errors import CallError
from oreline.ids import Json
from oreline.records import Reject
from oreline.reports.finished import Finished
from oreline.reports.plain import Report, cut, visible, words
from oreline.reports.rows import value_line
from oreline.tables.manifest import Manifest
from oreline.tables.reading import iterate

DUPLICATES: dict[str, tuple[str, str, str]] = {
    "exact_duplicate": ("documents", "doc_id", "text"),
    "near_duplicate": ("documents", "doc_id", "text"),
    "duplicate_query": ("queries", "query_id", "query"),
}
"""Reasons whose rejects name a keeper in `by`: the keeper's table, its id column, its text column."""

TEXT_CHARACTERS = 200


def clusters(output: str, manifests: Mapping[str, Manifest], limit: int, seed: int, *, as_json: bool) -> Report:
    """Returns at most `limit` clusters of each stage, the largest first; ties by the keeper's id.

    A cluster is a keeper and the rows that were dropped or merged for it, each with its reason and the similarity
    that the stage states. As JSON: a line per cluster. Raises CallError if no stage here compares rows.
    """
    del seed  # clusters are ranked, not drawn
    compared = {name: manifest for name, manifest in manifests.items() if name in ("dedup", "filter")}
    if not compared:
        raise CallError(f"{output}: clusters come from dedup and filter; finished here: {', '.join(manifests)}")
    report: Report = []
    for stage, manifest in compared.items():
        members = _members(output, manifest)
        ranked = sorted(members.items(), key=lambda each: (-len(each[1]), each[0]))
        keepers = _keepers(output, manifests, ranked[:limit])
        if as_json:
            report += [_line(stage, keeper, found, keepers) for keeper, found in ranked[:limit]]
            continue
        total = sum(len(found) for found in members.values())
        report.append(
            words(f"{stage}: {len(members):,} clusters, {total:,} rows in them besides their keepers\n", "bold")
        )
        report += [_card(keeper, found, keepers) for keeper, found in ranked[:limit]]
    return report


def _members(output: str, manifest: Manifest) -> dict[str, list[Reject]]:
    """Returns the dropped and merged rows by keeper; a merged row stands as a reject with the reason `merged`."""
    members: dict[str, dict[str, Reject]] = {}
    for block in iterate(output, manifest.tables.get("rejects", ())):
        for row in block.to_pylist():
            if row["reason"] in DUPLICATES and row["by"]:
                members.setdefault(row["by"], {})[row["row_id"]] = Reject(**row)
    for block in iterate(output, manifest.tables.get("fates", ())):
        for row in block.to_pylist():
            if row["into"]:
                merged = Reject(row["unit_id"], "", "merged", "equal to the keeper")
                members.setdefault(row["into"], {}).setdefault(row["unit_id"], merged)
    return {keeper: [found[each] for each in sorted(found)] for keeper, found in members.items()}


def _keepers(
    output: str, manifests: Mapping[str, Manifest], ranked: Sequence[tuple[str, list[Reject]]]
) -> dict[str, str]:
    """Returns the keepers' texts, as far as a finished table still holds them."""
    wanted = [keeper for keeper, _ in ranked]
    tables = Finished(output, {})
    texts: dict[str, str] = {}
    for table, column, text in sorted(set(DUPLICATES.values())):
        for manifest in manifests.values():
            parts = manifest.tables.get(table, ())
            found = tables.within(table, parts, column, wanted, columns=[column, text])
            texts |= dict(zip(found.column(column).to_pylist(), found.column(text).to_pylist(), strict=True))
    return texts


def _card(keeper: str, members: Sequence[Reject], keepers: Mapping[str, str]) -> Group:
    lines: list[Text | Padding] = [words(visible(keeper), "bold green")]
    if keeper in keepers:
        lines.append(Padding(words(cut(keepers[keeper], TEXT_CHARACTERS)), (0, 0, 0, 2)))
    for member in members:
        head = words(f"- {visible(member.row_id)}", "yellow")
        head.append(f"  {member.reason}: {visible(member.detail)}", style="dim")
        lines.append(Padding(head, (0, 0, 0, 2)))
        if member.payload:
            lines.append(Padding(words(cut(member.payload, TEXT_CHARACTERS)), (0, 0, 0, 4)))
    return Group(*lines, Text(""))


def _line(stage: str, keeper: str, members: Sequence[Reject], keepers: Mapping[str, str]) -> str:
    listed: list[Json] = [
        {"id": each.row_id, "reason": each.reason, "detail": each.detail, "payload": each.payload} for each in members
    ]
    return value_line({"stage": stage, "keeper": keeper, "text": keepers.get(keeper), "members": listed})
