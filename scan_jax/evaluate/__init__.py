"""The command that measures what fills holes; every other room is opened here and handed to the evaluation."""
