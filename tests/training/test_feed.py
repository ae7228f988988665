"""Batches come in order, a few ahead, and nothing is left behind; the wait for them is what a device lost."""

import gc
import threading
import time

import pytest

from scan_jax.core.errors import UserError
from scan_jax.training.loop import Pending, _Meter, _slow_data, _take
from scan_jax.training.sharding import AHEAD, Prefetch


class Batches:
    """Numbers, counted as they are made, each after `delay` seconds."""

    def __init__(self, count=1000, delay=0.0):
        self.made, self.count, self.delay, self.closed = 0, count, delay, False

    def __iter__(self):
        return self

    def __next__(self):
        time.sleep(self.delay)
        if self.made == self.count:
            raise StopIteration
        self.made += 1
        return self.made

    def close(self):
        self.closed = True


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    return condition()


def feeding_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_batches_are_placed_in_order_and_end_and_an_error_is_the_callers():
    feed = Prefetch(Batches(5), lambda number: 10 * number)
    assert list(feed) == [10, 20, 30, 40, 50]
    feed.close()

    def place(number):
        if number == 3:
            raise UserError("photograph 3 is gone")
        return number

    feed = Prefetch(Batches(), place)
    assert [next(feed), next(feed)] == [1, 2]
    with pytest.raises(UserError, match="photograph 3 is gone"):
        next(feed)
    feed.close()


def test_few_are_held():
    batches = Batches()
    feed = Prefetch(batches, lambda number: number)
    for taken in range(4):
        assert wait_until(lambda: batches.made == taken + AHEAD)  # noqa: B023
        time.sleep(0.02)
        assert batches.made == taken + AHEAD
        assert feed.ready
        assert next(feed) == taken + 1
    feed.close()


@pytest.mark.parametrize("leave", ["close", "drop"])
def test_its_thread_ends_with_it(leave):
    assert wait_until(lambda: not feeding_threads())
    batches = Batches(delay=0.01)
    feed = Prefetch(batches, lambda number: number)
    next(feed)
    assert feeding_threads()
    if leave == "close":
        feed.close()
        assert not feeding_threads()
        assert batches.closed
        assert list(feed) == []
    del feed
    assert wait_until(lambda: not feeding_threads())


class Device:
    """Time that passes only where somebody waits: for a device with so many seconds of work, or for a batch."""

    def __init__(self, work=0.0, batch=0.0):
        self.now, self.work, self.batch = 0.0, work, batch

    def block_until_ready(self):
        self.now = max(self.now, self.work)

    @property
    def ready(self):
        return self.now >= self.batch

    def __next__(self):
        self.now = max(self.now, self.batch)
        return "batch"


@pytest.mark.parametrize(
    ("work", "batch", "lost", "end"),
    [(0.2, 0.1, 0.0, 0.2), (0.1, 0.3, 0.2, 0.3), (0.5, 0.0, 0.0, 0.0)],
    ids=["busy all the time", "idle before the batch comes", "the batch is there, the device is left to its work"],
)
def test_what_a_device_loses_to_its_data(monkeypatch, work, batch, lost, end):
    device, pending = Device(work, batch), Pending()
    monkeypatch.setattr("scan_jax.training.loop.time.perf_counter", lambda: device.now)
    meter = _Meter(1)
    pending.add(1, {"loss": device})
    assert _take(device, pending, meter) == "batch"
    assert (meter._waited, device.now) == pytest.approx((lost, end))


def test_rates_are_shares_and_the_bar_names_a_wait_above_5_percent(monkeypatch):
    device = Device()
    monkeypatch.setattr("scan_jax.training.loop.time.perf_counter", lambda: device.now)
    meter = _Meter(4)
    for wait in (0.05, 0.1):
        with meter.waiting():
            device.now += wait
        device.now += 0.2 - wait
        assert meter.rates() == pytest.approx({"data_wait": wait / 0.2, "images_per_second": 20})
    assert _slow_data({"data_wait": 0.051}) == {"data_wait": "5%"}
    assert _slow_data({"data_wait": 0.12}) == {"data_wait": "12%"}
    assert _slow_data({"data_wait": 0.05}) == {}
