"""The one exception family that users see as a sentence instead of a stack trace."""


class RecollectError(Exception):
    """Bad input or a broken environment.

    Its text is one clear sentence: what was wrong, where, and what to do next. The command line
    prints it to stderr and exits with status 1; anything else that escapes is a bug of ours.
    """
