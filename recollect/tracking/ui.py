"""The command that opens MLflow's page, for this machine only."""

import sys

from recollect.errors import RecollectError
from recollect.tracking.ingest import DEFAULT_STORE
from recollect.tracking.store import shown, sqlite_path

HOST = "127.0.0.1"


def ui_command(store_uri: str = DEFAULT_STORE, port: int = 5000) -> list[str]:
    """Return the command line of MLflow's page, bound to 127.0.0.1.

    Raises:
        RecollectError: the store is no SQLite file (a server has its own page), it is not there yet,
            or the port is none.
    """
    if not store_uri.startswith("sqlite:///"):
        raise RecollectError(f"MLflow store {shown(store_uri)} is not a local file; open its own page instead.")
    if not sqlite_path(store_uri).is_file():
        raise RecollectError(f"MLflow store {sqlite_path(store_uri)} is not there yet; make the results first.")
    if not 1 <= port <= 65535:
        raise RecollectError(f"port {port} is not between 1 and 65535.")
    options = ["--backend-store-uri", store_uri, "--host", HOST, "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "ui", *options]
