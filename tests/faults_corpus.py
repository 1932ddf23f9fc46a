"""A whole line over a corpus while a part of the calls goes wrong, and its books: for a test and a benchmark."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oreline.llm import journal
from oreline.records import FateRow, Reject
from oreline.running import run
from oreline.tables.manifest import Manifest, read_manifest
from server_faults import FaultKind

from gemini_server import GeminiServer
from house import rows_of

STAGES = ("ingest", "dedup", "synthesize", "filter", "embed", "mine", "judge", "select", "export")
ASKING = ("synthesize", "filter", "judge")
MIXED: tuple[FaultKind, ...] = (
    "rate", "server", "unavailable", "deadline", "reset", "garbage", "bad_request", "malformed", "off_schema", "says",
    "empty", "no_candidates", "max_tokens", "safety", "prohibited", "blocked_prompt", "recitation", "endless",
)  # fmt: skip
UNANSWERED: tuple[FaultKind, ...] = (
    "rate", "server", "unavailable", "deadline", "reset", "garbage", "bad_request", "endless",
)  # fmt: skip
"""Those after which nothing whole came back, so that nothing can have been kept."""


def mixed(server: GeminiServer, share: float, kinds: Sequence[FaultKind] = MIXED) -> None:
    """Lets a share of the calls go wrong, in all ways in equal parts, by a hash of prompt and number of the call."""
    for place, kind in enumerate(kinds, start=1):  # the first fault whose share reaches the hash strikes
        delay, text = (0.1, "") if kind == "rate" else (None, "This is relevant.")
        server.fault(kind, share=share * place / len(kinds), text=text, delay=delay)


@dataclass(frozen=True)
class Entry:
    """The books of one stage: its units by fate, its requests, and its rejects by reason."""

    stage: str
    manifest: Manifest
    fates: Counter[str]
    rejects: Counter[str]

    @property
    def requests(self) -> int:
        return self.manifest.counts.get("requests", 0)

    @property
    def paid(self) -> int:
        return self.manifest.counts.get("paid_requests", 0)

    @property
    def answer_rejects(self) -> int:
        return self.manifest.counts.get("answer_rejects", 0)

    def misses(self) -> Iterable[str]:
        """Yields a sentence for whatever does not add up."""
        books, counts = self.manifest.books, self.manifest.counts
        if not books.balanced:
            yield f"{self.stage}: the books do not balance"
        listed = {"merged": books.merged, "dropped": books.dropped}
        for fate, tally in listed.items():
            if self.fates[fate] != tally.count:
                yield f"{self.stage}: {self.fates[fate]} fates are {fate}, the books say {tally.count}"
        if self.requests != counts.get("answers", 0) + self.answer_rejects:
            yield f"{self.stage}: requests are not answers and rejects"
        if self.rejects != Counter(self.manifest.drops):
            yield f"{self.stage}: the rejects are not those of the manifest"


@dataclass
class Course:
    """A recipe over a corpus and the server that it asks."""

    folder: Path
    corpus: Path
    server: GeminiServer
    more: str = ""
    timeout: float = 60.0
    limit: int | None = None

    @property
    def output(self) -> str:
        return str(self.folder / "out")

    def run(self, until: str = "export") -> None:
        """Runs it; the key is in the environment."""
        self.folder.mkdir(parents=True, exist_ok=True)
        recipe = self.folder / "recipe.yaml"
        limit = "" if self.limit is None else f", limit: {self.limit}"
        recipe.write_text(
            f"output: {self.output}\nsources: [{{path: {self.corpus}{limit}}}]\n"
            f"llm: {{model: gemini-3.5-flash-lite, base_url: '{self.server.url}', server: local, budget_usd: 1000, "
            f"call_attempts: 4, timeout: {self.timeout}}}\n{self.more}"
        )
        run(str(recipe), until=until)

    def entries(self) -> list[Entry]:
        """Returns the books of all stages that ran."""
        found = []
        for stage in STAGES:
            manifest = read_manifest(self.output, stage)
            if manifest is not None:
                fates = Counter(str(row.fate) for row in rows_of(self.output, stage, "fates", FateRow))
                rejects = Counter(row.reason for row in rows_of(self.output, stage, "rejects", Reject))
                found.append(Entry(stage, manifest, fates, rejects))
        return found

    def journaled(self) -> Counter[str]:
        """Returns how many answers the journal holds by status."""
        lanes = (journal.read_lane(str(Path(self.output) / "_cache"), lane) for lane in range(256))
        return Counter(each.status for lane in lanes for attempts in lane.values() for each in attempts.values())

    def misses(self) -> list[str]:
        """Returns a sentence for whatever does not add up, over all stages and the server's own count."""
        entries = self.entries()
        found = [miss for each in entries for miss in each.misses()]
        units = {each.stage: each.manifest.books.units.count for each in entries}
        rows = {each.stage: each.manifest for each in entries}
        chain = (("synthesize", "dedup", "documents"), ("filter", "synthesize", "queries"))
        for stage, before, table in chain:
            if units[stage] != rows[before].rows(table):
                found.append(f"{stage} has {units[stage]} units, {before} wrote {rows[before].rows(table)} {table}")
        if "select" in units and units["select"] != rows["filter"].rows("queries"):
            found.append("select's units are not the queries of filter")
        paid, kept = sum(each.paid for each in entries), self.journaled().total()
        answered = self.server.met.total() - sum(self.server.met[kind] for kind in UNANSWERED)
        if not paid == kept == answered:
            found.append(f"{answered} answers came, {paid} are paid for, {kept} are journaled")
        return found
