"""Worker processes on this machine: how they are started, and what is done when one dies before it is heard of.

Beam would wait for it for ever. So the driver answers in its place that it is dead, over Beam's own protocol, and the
pipeline ends as after any other failure.
"""

import json
import os
import queue
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from oreline.logs import TALKATIVE

_DIED = "died-"
_LOG = ".log"


@dataclass
class Workers:
    """The worker processes of one job; `folder` holds a file for each that died.

    Each writes a log of its own into `logs`, named by its id; None if they are to write none.
    """

    folder: Path
    logs: Path | None
    _known: dict[str, str] = field(default_factory=dict, init=False)

    def command(self) -> str:
        """Returns the shell command that starts a worker, and notes how it ended, if not well.

        It ends well in any case, as Beam would only print a traceback. Beam's own command would end at Ctrl-C, which
        reaches the whole process group but is the driver's to handle, and would log to the terminal what the driver's
        log has too.
        """
        python, died = (shlex.quote(each) for each in (sys.executable, str(self.folder / _DIED)))
        # Beam gives its options to workers elsewhere alone.
        options = shlex.quote(json.dumps({"sdk_harness_log_level_overrides": dict.fromkeys(TALKATIVE, "WARNING")}))
        log = os.devnull if self.logs is None else f'{shlex.quote(f"{self.logs}/")}"$WORKER_ID"{_LOG}'
        return (
            f"trap '' INT; PIPELINE_OPTIONS={options} "
            f"{python} -m apache_beam.runners.worker.sdk_worker_main 2>>{log} || "
            f'echo "$? $CONTROL_API_SERVICE_DESCRIPTOR" >{died}"$WORKER_ID"'
        )

    def check(self) -> None:
        """Lets Beam know of workers that have died since the last time."""
        for died in sorted(self.folder.glob(f"{_DIED}*")):
            code, _, descriptor = died.read_text().partition(" ")
            address = re.search(r'url:\s*"([^"]+)"', descriptor)
            if died.name in self._known or not code:
                continue
            self._known[died.name] = code
            if address is not None:
                worker = died.name.removeprefix(_DIED)
                told = (address[1], worker, self._message(worker, code))
                threading.Thread(target=_stand_in, args=told, name="oreline-dead-worker", daemon=True).start()

    def told(self) -> str | None:
        """Returns a sentence about the first worker that died, or None if none has."""
        died = ((name.removeprefix(_DIED), code) for name, code in sorted(self._known.items()))
        return next((self._message(worker, code) for worker, code in died), None)

    def _message(self, worker: str, code: str) -> str:
        message = f"a worker process ended with exit code {code} before the stage was done"
        if self.logs is None:
            return f"{message}; it left no log, as the output is remote"
        path = self.logs / f"{worker}{_LOG}"
        if not path.exists():
            return f"{message}; it left no log at {path}"
        with path.open(encoding="utf-8", errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        return f"{message}; its log, {path}, " + (f"ends with: {lines[-1][:500]}" if lines else "is empty")


@contextmanager
def watched(logs: str | None) -> Iterator[Workers]:
    """Gives the workers of a job that begins; the logs of an earlier one in the folder `logs` are deleted."""
    kept = None if logs is None else Path(logs)
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        for old in kept.glob(f"*{_LOG}"):
            old.unlink()
    with TemporaryDirectory(prefix="oreline-workers-", ignore_cleanup_errors=True) as folder:
        yield Workers(Path(folder), kept)


def _stand_in(address: str, worker: str, message: str) -> None:
    """Answers what a dead worker is asked, until the pipeline ends: that it is dead.

    If the worker had been heard of, the server refuses: Beam then learns of its end by the broken connection.
    """
    responses: queue.SimpleQueue[object] = queue.SimpleQueue()
    with grpc.insecure_channel(address) as channel:
        stub = beam_fn_api_pb2_grpc.BeamFnControlStub(channel)
        try:
            for request in stub.Control(iter(responses.get, None), metadata=[("worker_id", worker)]):
                answer = beam_fn_api_pb2.InstructionResponse(instruction_id=request.instruction_id, error=message)
                responses.put(answer)
        except grpc.RpcError:
            return
        finally:
            responses.put(None)
