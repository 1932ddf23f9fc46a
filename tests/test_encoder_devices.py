"""On which devices an encoder computes, what that changes in its identity, and work done ahead on a thread."""

import sys
import threading
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from oreline.encoders.devices import block_texts, devices_of, first_device
from oreline.encoders.loaded import windows
from oreline.encoders.local.ahead import Ahead
from oreline.encoders.precision import arithmetic
from oreline.recipe.settings import Encoder


def test_a_list_of_devices_is_a_copy_of_the_model_on_each() -> None:
    settings = Encoder(device=["cuda:0", "cuda:3"])
    assert devices_of(settings) == ["cuda:0", "cuda:3"]
    assert first_device(settings) == "cuda:0"
    assert devices_of(Encoder(device="cuda:1")) == ["cuda:1"]
    assert devices_of(Encoder(device="cpu")) == ["cpu"]


@pytest.mark.parametrize("device", ["gpu", "cuda:", [], ["auto"], ["cpu", "cuda:0"], ["cuda:0", "cuda:0"]])
def test_a_device_that_is_none_is_refused(device: object) -> None:
    with pytest.raises(ValidationError, match="device"):
        Encoder.model_validate({"device": device})


def test_what_may_change_digits_is_known_before_a_model_is_loaded() -> None:
    assert arithmetic(Encoder(precision="float32", device="cpu")) == {"precision": "float32"}
    packed = Encoder(precision="float32", device="cpu", attention="packed")
    assert arithmetic(packed) == {"precision": "float32", "attention": "packed"}
    assert arithmetic(Encoder(precision="bfloat16", device="cuda", attention="padded", compile="off")) == {
        "precision": "bfloat16"
    }
    on_gpu = {"precision": "bfloat16", "attention": "packed", "compiled": True}
    assert arithmetic(Encoder(device="cuda")) == arithmetic(Encoder(device=["cuda:0", "cuda:1"])) == on_gpu
    assert arithmetic(Encoder(device="cpu", compile="on"))["compiled"] is True


def test_a_block_for_a_gpu_holds_64_of_its_batches_however_many_there_are() -> None:
    assert block_texts(Encoder(device="cuda:0")) >= 64 * 65_536 / 146
    assert block_texts(Encoder(device="cuda:0")) == block_texts(Encoder(device=["cuda:0", "cuda:1"]))


def test_windows_hold_every_text_once_in_the_order_of_the_keys() -> None:
    keys = [f"{(place * 7919) % 40_009:05d}" for place in range(40_009)]
    found = list(windows(keys))
    assert [keys[place] for window in found for place in window] == sorted(keys)
    sizes = [len(window) for window in found]
    assert sizes[0] < sizes[1] < sizes[2]


def test_work_ahead_is_done_on_another_thread_and_comes_in_order() -> None:
    def numbers() -> Iterator[tuple[int, str]]:
        for number in range(20):
            yield number, threading.current_thread().name

    with Ahead(numbers(), 3) as found:
        taken = list(found)
    assert [number for number, _ in taken] == list(range(20))
    assert {name for _, name in taken} == {"oreline-ahead"}


def test_work_ahead_stays_within_its_depth_and_ends_when_it_is_left() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1_000):
            made.append(number)
            yield number

    with Ahead(numbers(), 4) as found:
        assert [next(found), next(found)] == [0, 1]
    assert len(made) <= 2 + 4 + 1
    assert "oreline-ahead" not in {thread.name for thread in threading.enumerate()}


def test_two_at_once_leave_the_turns_of_threads_as_they_were() -> None:
    before = sys.getswitchinterval()
    first, second = Ahead(iter([1]), 1), Ahead(iter([2]), 1)
    with first:
        second.__enter__()
        assert sys.getswitchinterval() < before
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == before


def test_what_work_ahead_raises_is_raised_where_it_is_taken() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("the second number is broken")

    with Ahead(numbers(), 4) as found:
        assert next(found) == 1
        with pytest.raises(ValueError, match="second number"):
            next(found)
