"""Tracking: the one place that writes to MLflow (contract 7). Files are the truth, a store can be rebuilt."""

from recollect.tracking.ingest import DEFAULT_EXPERIMENT, DEFAULT_STORE, IngestReport, ingest
from recollect.tracking.ui import ui_command

__all__ = ["DEFAULT_EXPERIMENT", "DEFAULT_STORE", "IngestReport", "ingest", "ui_command"]
