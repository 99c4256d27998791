"""The one error that a person sees as a sentence instead of a traceback."""


class CannotRun(Exception):
    """Something outside of us prevents going on; the text says what, and what to do."""
