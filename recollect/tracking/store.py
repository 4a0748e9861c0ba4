"""Is the MLflow store one we can write to? Asked before MLflow is, which would wait for minutes."""

import re
import sqlite3
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from recollect.errors import RecollectError
from recollect.files import cannot_write

REBUILD = "the store can be rebuilt: move it away and ingest again"


def shown(store_uri: str) -> str:
    """Return the address without user name and password."""
    return re.sub(r"//[^/@]*@", "//", store_uri)


def check_store(store_uri: str, *, timeout_s: float = 5.0) -> None:
    """Check that the store is of a kind we write to and answers.

    Args:
        store_uri: `sqlite:///<file>` or the `http(s)://` address of an MLflow server.
        timeout_s: how long to wait for a lock or an answer, seconds.

    Raises:
        RecollectError: another kind of store, a locked, damaged or read-only file, a server that is silent.
    """
    if store_uri.startswith("sqlite:///"):
        _check_sqlite(sqlite_path(store_uri), timeout_s)
    elif store_uri.startswith(("http://", "https://")):
        _check_server(store_uri, timeout_s)
    else:
        raise RecollectError(
            f"MLflow store '{shown(store_uri)}' is of a kind that is not written to (MLflow gave up plain"
            " file stores); use sqlite:///results/mlflow.db or the http(s):// address of an MLflow server."
        )


def sqlite_path(store_uri: str) -> Path:
    """File of a `sqlite:///` address.

    Raises:
        RecollectError: the address names no file.
    """
    name = store_uri.removeprefix("sqlite:///").split("?")[0]
    if not name or name == ":memory:":
        raise RecollectError(f"MLflow store '{store_uri}' names no file; use sqlite:///results/mlflow.db.")
    return Path(name)


def _check_sqlite(path: Path, timeout_s: float) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise RecollectError(sqlite_sentence(path, str(error))) from None


def sqlite_sentence(path: Path | str, problem: str) -> str:
    """Say what is wrong with a SQLite store and what to do."""
    if "locked" in problem:
        return (
            f"MLflow store {path} is locked by another process; wait for the other run, or stop the MLflow"
            " page that is writing to it, then ingest again."
        )
    if "readonly" in problem or "unable to open" in problem:
        return f"MLflow store {path} cannot be written ({problem}); make the file and its folder writable."
    return f"MLflow store {path} cannot be used ({problem}); {REBUILD}."


def _check_server(store_uri: str, timeout_s: float) -> None:
    if not urlsplit(store_uri).hostname:
        raise RecollectError(f"MLflow server '{shown(store_uri)}' names no host; write http://<host>:<port>.")
    request = urllib.request.Request(f"{shown(store_uri).rstrip('/')}/health")
    try:
        urllib.request.urlopen(request, timeout=timeout_s).close()
    except urllib.error.HTTPError:
        pass  # it answers; whether it lets us in is for MLflow to say
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RecollectError(
            f"MLflow server {shown(store_uri)} does not answer ({reason}); start it, correct the address, or"
            " use sqlite:///results/mlflow.db. Nothing is lost: the results are in files."
        ) from None
