"""Scenarios: how a data set becomes a stream of tasks, written down in a split manifest."""
