"""Codes that stand in stored predictions beside class numbers."""

NO_ANSWER = -1
"""No output was open, e.g. a class-incremental head before its first task: counts as wrong."""

NOT_EVALUATED = -2
"""The row does not exist, e.g. joint training before its end: its accuracies are undefined."""
