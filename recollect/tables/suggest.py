"""Close matches for a misspelt name, as a clause for an error sentence."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean a or b?` if something is close, else the list of allowed names."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f" Did you mean {' or '.join(close)}?"
    return f" Allowed: {', '.join(names)}."
