"""Batches come in order, a few ahead, and nothing is left behind; the wait for them is what a device lost."""

import gc
import threading
import time

import pytest

from scan_jax.errors import UserError
from scan_jax.training.feed import AHEAD, Feed
from scan_jax.training.loop import Pending, _Meter, _slow_data, _take


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
    return [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


def test_batches_are_placed_in_order_and_end():
    feed = Feed(Batches(5), lambda number: 10 * number)
    assert list(feed) == [10, 20, 30, 40, 50]
    feed.close()


def test_few_are_held():
    batches = Batches()
    feed = Feed(batches, lambda number: number)
    for taken in range(4):
        assert wait_until(lambda: batches.made == taken + AHEAD)  # noqa: B023
        time.sleep(0.02)
        assert batches.made == taken + AHEAD
        assert feed.ready
        assert next(feed) == taken + 1
    feed.close()


def test_an_error_is_the_callers():
    def place(number):
        if number == 3:
            raise UserError("photograph 3 is gone")
        return number

    feed = Feed(Batches(), place)
    assert [next(feed), next(feed)] == [1, 2]
    with pytest.raises(UserError, match="photograph 3 is gone"):
        next(feed)
    feed.close()


@pytest.mark.parametrize("leave", ["close", "drop"])
def test_its_thread_ends_with_it(leave):
    assert wait_until(lambda: not feeding_threads())
    batches = Batches(delay=0.01)
    feed = Feed(batches, lambda number: number)
    next(feed)
    assert feeding_threads()
    if leave == "close":
        feed.close()
        assert not feeding_threads()
        assert batches.closed
        assert list(feed) == []
    del feed
    assert wait_until(lambda: not feeding_threads())


class Busy:
    """A scalar on a device that computes for a while yet."""

    def __init__(self, seconds):
        self.end, self.waited_for = time.perf_counter() + seconds, False

    def block_until_ready(self):
        self.waited_for = True
        time.sleep(max(0.0, self.end - time.perf_counter()))


def waited(delay, busy, ready):
    """Seconds lost for a batch that takes `delay`, while the device has `busy` seconds of work."""
    feed, pending, meter = Feed(Batches(delay=delay), lambda number: number), Pending(), _Meter(1)
    if ready:
        assert wait_until(lambda: feed.ready)
    scalar = Busy(busy)
    pending.add(1, {"loss": scalar})
    assert _take(feed, pending, meter) == 1
    feed.close()
    return meter._waited, scalar.waited_for


def test_a_busy_device_does_not_wait():
    seconds, was_waited_for = waited(delay=0.1, busy=0.2, ready=False)
    assert seconds < 0.03
    assert was_waited_for


def test_an_idle_device_waits_from_when_it_became_idle():
    seconds, _ = waited(delay=0.3, busy=0.1, ready=False)
    assert 0.1 < seconds < 0.28


def test_a_batch_that_is_there_is_taken_while_the_device_computes():
    seconds, was_waited_for = waited(delay=0.0, busy=0.5, ready=True)
    assert seconds < 0.05
    assert not was_waited_for


def test_rates_are_shares_and_the_bar_names_a_wait_above_5_percent():
    meter = _Meter(4)
    with meter.waiting():
        time.sleep(0.05)
    time.sleep(0.05)
    rates = meter.rates()
    assert 0.3 < rates["data_wait"] < 0.7
    assert 20 < rates["images_per_second"] < 40
    assert _slow_data({"data_wait": 0.051}) == {"data_wait": "5%"}
    assert _slow_data({"data_wait": 0.12}) == {"data_wait": "12%"}
    assert _slow_data({"data_wait": 0.05}) == {}
