"""RunInference as a side of `llm_throughput.py`: a handler that sends all prompts of a batch at once."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from llm_sides import Asker, Setting

Result = TypeVar("Result")


class Loop:
    """An event loop in a thread, for code that is called from others."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:  # Any: what a coroutine is sent is of no concern
        """Runs a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class Batches(ModelHandler[str, PredictionResult, Asker]):  # type: ignore[misc]  # Beam ships no types
    """A handler for RunInference that sends all prompts of a batch at once and waits for all."""

    def __init__(self, url: str, size: int) -> None:
        super().__init__(min_batch_size=size, max_batch_size=size)
        self._url = url

    def load_model(self) -> Asker:
        """Opens the client."""
        self._loop = Loop()
        return self._loop.run(_opened(self._url))

    def run_inference(
        self, batch: Sequence[str], model: Asker, inference_args: dict[str, object] | None = None
    ) -> Iterable[PredictionResult]:
        """Returns an answer per prompt."""
        del inference_args
        for prompt, text in zip(batch, self._loop.run(_asked(model, batch)), strict=True):
            yield PredictionResult(prompt, text)


async def _opened(url: str) -> Asker:
    return Asker(url, own_session=True)


async def _asked(asker: Asker, batch: Sequence[str]) -> list[str]:
    split = [json.loads(each) for each in batch]
    return await asyncio.gather(*(asker.ask(system, prompt) for system, prompt in split))


def inference(setting: Setting, requests: Sequence[tuple[str | None, str]]) -> None:
    """Asks everything through RunInference; nothing is journaled."""
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as pipeline:
        _ = (
            pipeline
            | beam.Create([json.dumps(each) for each in requests])
            | RunInference(Batches(setting.url, setting.concurrency))
            | beam.combiners.Count.Globally()
        )
