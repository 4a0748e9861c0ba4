"""Metric definitions: pure functions on arrays."""
