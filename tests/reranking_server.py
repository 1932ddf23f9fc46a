"""A local reranking server for tests: both protocols, scores by shared words, and faults on demand."""

import json
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

from gemini_writer import words_of


def overlap(query: str, document: str) -> float:
    """Returns the score of a document: the share of the query's words in it."""
    return len(words_of(query) & words_of(document)) / max(1, len(words_of(query)))


@dataclass
class RerankingServer:
    """The server, running while it is entered; `refuses` is a text that it takes in no document."""

    protocol: str = "rerank"
    key: str | None = None
    faults: list[int] = field(default_factory=list)
    refuses: str | None = None
    bodies: list[dict[str, object]] = field(default_factory=list)
    paths: Counter[str] = field(default_factory=Counter)
    garbled: str | None = None
    breaks_at: int | None = None
    """After so many answers all others are 500."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def scored(self) -> list[tuple[str, str]]:
        """Query and document of all that was answered, faults left out."""
        names = "texts" if self.protocol == "tei" else "documents"
        return [(str(body["query"]), str(each)) for body in self.bodies for each in _listed(body[names])]

    def reply(  # noqa: PLR0911 - one return per status
        self, path: str, authorization: str | None, body: dict[str, object]
    ) -> tuple[int, object]:
        """Returns status and body of an answer."""
        self.paths[path] += 1
        if self.key is not None and authorization != f"Bearer {self.key}":
            return 401, {"detail": f"no such key: {authorization}"}
        if self.faults:
            return self.faults.pop(0), {"detail": "not now"}
        if self.breaks_at is not None and len(self.bodies) >= self.breaks_at:
            return 500, {"detail": "broken"}
        if path != ("/rerank" if self.protocol == "tei" else "/v1/rerank"):
            return 404, {"detail": "Not Found"}
        documents = [str(each) for each in _listed(body["texts" if self.protocol == "tei" else "documents"])]
        if self.refuses is not None and any(self.refuses in each for each in documents):
            return 422, {"error": "an input is too long"}
        self.bodies.append(body)
        scores = [overlap(str(body["query"]), document) for document in documents]
        order = sorted(range(len(scores)), key=lambda place: -scores[place])
        if self.protocol == "tei":
            return 200, [{"index": place, "score": scores[place]} for place in order]
        results = [{"index": place, "relevance_score": scores[place]} for place in order]
        return 200, {"results": results, "usage": {"total_tokens": 10 * len(documents)}}

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = outer.reply(self.path, self.headers.get("Authorization"), body)
                content = (outer.garbled if outer.garbled is not None else json.dumps(answer)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(content)

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _listed(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
