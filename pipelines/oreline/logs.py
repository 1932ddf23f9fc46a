"""The log of a run: everything that anybody logs goes to `<output>/run.log`."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from oreline import files

TALKATIVE = ("httpx", "httpx2", "google_genai.models", "apache_beam.typehints.native_type_compatibility")
"""Loggers that write a line per call to a model or per type hint: a log that nobody can read."""


class _File(logging.FileHandler):
    """A log file on a disk that may fill: the run then ends with one message, not with one per line of the log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Passes over a line that the disk does not take; any other error is shown, as logging does."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def close(self) -> None:
        """Closes the file, whether or not its last lines can be written."""
        with suppress(OSError):
            super().close()


@contextmanager
def log_file(output: str, *, verbose: bool) -> Iterator[None]:
    """Sends all logs of the run to `<output>/run.log`, and to standard error too if `verbose`."""
    local = files.join(output, "run.log") if files.is_local(output) else "oreline-run.log"
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handlers: list[logging.Handler] = [_File(local, encoding="utf-8")]
    if verbose:
        handlers.append(logging.StreamHandler(sys.stderr))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    talkative = {each: each.level for each in map(logging.getLogger, TALKATIVE)}
    for each in talkative:
        each.setLevel(logging.WARNING)
    kept = root.handlers[:]
    root.handlers[:] = handlers
    for handler in handlers:
        handler.setFormatter(form)
    try:
        yield
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        for each, own in talkative.items():
            each.setLevel(own)
        for handler in handlers:
            handler.close()
        if not files.is_local(output):
            with open(local, "rb") as log:
                files.write_atomically(files.join(output, "run.log"), log.read())
