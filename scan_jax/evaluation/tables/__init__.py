"""The tables of an evaluation, never without their protocol line."""
