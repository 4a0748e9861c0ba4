"""Ingest finished runs into MLflow: idempotent, in batches, one writer (contract 7)."""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from recollect.errors import RecollectError
from recollect.tracking.payload import Payload, payloads
from recollect.tracking.store import check_store, shown, sqlite_path, sqlite_sentence

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_STORE = "sqlite:///results/mlflow.db"
DEFAULT_EXPERIMENT = "recollect"

T = TypeVar("T")

CELL_TAG = "recollect.cell"
KEY_TAG = "recollect.run_key"

# MLflow takes at most 1000 metrics, 100 parameters and 100 tags at a time, 1000 together.
_METRICS_AT_ONCE = 800
_TEXTS_AT_ONCE = 100

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did: counts of runs, and its wall time in seconds."""

    created: int
    replaced: int
    unchanged: int
    wall_s: float


def ingest(
    run_records: Iterable[Mapping[str, Any]],
    metrics: "pd.DataFrame | None" = None,
    store_uri: str = DEFAULT_STORE,
    experiment: str = DEFAULT_EXPERIMENT,
    *,
    timeout_s: float = 5.0,
) -> IngestReport:
    """Bring an MLflow experiment up to date with run records; runs that did not change are not touched.

    A run is known by its tag `recollect.cell` (scenario/method/seed); `recollect.run_key` adds a hash
    of the record and its metrics. A changed run, or one whose ingest was cut off, is replaced.

    Args:
        run_records: contents of the run.json files; a list `R` holds R[t][i] (None: not evaluated).
        metrics: the collected frame; values of runs that are ok become metrics of the run.
        store_uri: `sqlite:///<file>` or the `http(s)://` address of an MLflow server.
        experiment: name of the MLflow experiment.
        timeout_s: how long to wait for a locked file or a silent server, seconds.

    Raises:
        RecollectError: a bad record, a store of another kind, locked, damaged or out of reach.
    """
    start = time.monotonic()
    wanted = payloads(run_records, metrics)
    check_store(store_uri, timeout_s=timeout_s)
    counts = {"created": 0, "replaced": 0, "unchanged": 0}
    with _quiet_mlflow(), _plain_errors(store_uri):
        client = _client(store_uri)
        experiment_id = _experiment_id(client, experiment, store_uri)
        known = _known_runs(client, experiment_id)
        for payload in wanted:
            counts[_ingest_one(client, experiment_id, payload, known.get(payload.cell, []))] += 1
    report = IngestReport(**counts, wall_s=time.monotonic() - start)
    logger.info("%s: %s", shown(store_uri), report)
    return report


@contextmanager
def _quiet_mlflow() -> Iterator[None]:
    """Import MLflow without telemetry, migration logs or links printed to stdout."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    import mlflow.tracking  # noqa: F401  its import sets the levels that are changed here

    loggers = [logging.getLogger(name) for name in ("alembic", "mlflow")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


@contextmanager
def _plain_errors(store_uri: str) -> Iterator[None]:
    """Turn whatever MLflow or its database raises into one sentence."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if store_uri.startswith("sqlite:///"):
            raise RecollectError(sqlite_sentence(sqlite_path(store_uri), first)) from error
        raise RecollectError(
            f"MLflow server {shown(store_uri)} failed ({first}); look after the server, then ingest again."
            " Nothing is lost: the results are in files."
        ) from error


def _client(store_uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=store_uri)


def _experiment_id(client: Any, name: str, store_uri: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=_artifact_location(store_uri)))
    if found.lifecycle_stage != "active":
        raise RecollectError(
            f"MLflow experiment '{name}' in {shown(store_uri)} was deleted; restore it or name another."
        )
    return str(found.experiment_id)


def _artifact_location(store_uri: str) -> str | None:
    """Beside a SQLite file instead of in the working folder; a server decides for itself."""
    if not store_uri.startswith("sqlite:///"):
        return None
    return Path(sqlite_path(store_uri)).resolve().with_name("mlartifacts").as_uri()


def _known_runs(client: Any, experiment_id: str) -> dict[str, list[Any]]:
    """Runs that are in the store, by their cell."""
    known: dict[str, list[Any]] = {}
    token = None
    while True:
        page = client.search_runs([experiment_id], max_results=1000, page_token=token)
        for run in page:
            known.setdefault(run.data.tags.get(CELL_TAG, ""), []).append(run)
        token = page.token
        if not token:
            return known


def _ingest_one(client: Any, experiment_id: str, payload: Payload, known: list[Any]) -> str:
    """Create the run unless it is there, whole and unchanged; drop older forms of it afterwards."""
    whole = [run for run in known if run.info.status != "RUNNING"]
    same = [run for run in whole if run.data.tags.get(KEY_TAG) == payload.run_key]
    keep = same[0].info.run_id if same else None
    if keep is None:
        _create(client, experiment_id, payload)
    for run in known:
        if run.info.run_id != keep:
            client.delete_run(run.info.run_id)
    if keep is not None:
        return "unchanged"
    return "replaced" if known else "created"


def _create(client: Any, experiment_id: str, payload: Payload) -> None:
    """Write one run; it is marked as ended last, so that a run cut off here is known as such."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    own_tags = {CELL_TAG: payload.cell, KEY_TAG: payload.run_key}
    run_id = client.create_run(experiment_id, tags=own_tags, run_name=payload.cell).info.run_id
    metrics = [Metric(point.key, point.value, now, point.step) for point in payload.points]
    params = [Param(key, value) for key, value in payload.params.items()]
    tags = [RunTag(key, value) for key, value in payload.tags.items()]
    batches = zip_longest(
        _batches(metrics, _METRICS_AT_ONCE),
        _batches(params, _TEXTS_AT_ONCE),
        _batches(tags, _TEXTS_AT_ONCE),
        fillvalue=(),
    )
    for some_metrics, some_params, some_tags in batches:  # every call is a commit: as few as can be
        client.log_batch(run_id, metrics=some_metrics, params=some_params, tags=some_tags)
    client.set_terminated(run_id, status="FINISHED" if payload.status == "ok" else "FAILED")


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
