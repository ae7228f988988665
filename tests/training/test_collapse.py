"""A loss that stays far above its best is reported once; a peak, a slow rise and other scalars are not."""

import logging

from scan_jax.training.collapse import CollapseWatch


def warnings(caplog, losses, name="loss/generator"):
    caplog.clear()
    watch = CollapseWatch()
    with caplog.at_level(logging.WARNING):
        for index, loss in enumerate(losses):
            watch.read(20 * (index + 1), {name: loss})
    return [record.getMessage() for record in caplog.records]


def test_a_collapse_is_reported_once_with_its_steps_and_cure(caplog):
    (message,) = warnings(caplog, [0.4, 0.25, 0.3, 2.8, 2.7, 2.8, 2.8, 2.8, 2.8])
    assert "loss/generator was 0.25 at step 40 and is 2.8 at step 120" in message
    assert "config.training.optimizers.generator.learning_rate" in message


def test_what_is_no_collapse_is_not(caplog):
    assert not warnings(caplog, [0.4, 0.25, 2.8, 2.7, 0.3, 2.8, 2.7, 0.3])
    assert not warnings(caplog, [0.4, 0.25, 0.5, 0.9, 0.9, 0.9, 0.9])
    assert not warnings(caplog, [-0.4, -1.0, -0.1, -0.1, -0.1, -0.1])
    assert not warnings(caplog, [0.4, 0.25, 2.8, 2.8, 2.8, 2.8], name="term/l1")
