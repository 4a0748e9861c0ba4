"""The files of a run (contract 2): ``run.json``, ``predictions.npz``, and a stash of the finished ones.

Snakemake deletes a job's outputs when the job fails or is repeated. What has finished must survive that, so
finished files have a second name in ``.finished`` and come back from there while their stamp still holds.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from recollect.files import PARTIAL, cannot_write, forget_partial, read_json, sha256_file, write_bytes, write_json

RUN, PREDICTIONS, STATE, STASH = "run.json", "predictions.npz", ".state", ".finished"
SCHEMA = 1


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Compressed npz; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def link(source: Path, target: Path) -> None:
    """Give a file a second name; where that cannot be, a copy. ``target`` is never half there."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    try:
        os.link(source, temporary)
        temporary.replace(target)
    except OSError:
        write_bytes(target, source.read_bytes())
    finally:
        temporary.unlink(missing_ok=True)  # still there where both names are of one file already


def finish(folder: Path, record: dict[str, Any], predictions: dict[str, np.ndarray]) -> None:
    """Write the outputs of a finished run and drop its training state.

    The stash comes first: where there are outputs, they can be brought back, whatever happens in between.
    """
    stash = folder / STASH
    write_bytes(stash / PREDICTIONS, npz_bytes(predictions))
    record = {**record, "schema": SCHEMA, "predictions_sha256": sha256_file(stash / PREDICTIONS)}
    write_json(stash / RUN, record)
    for name in (PREDICTIONS, RUN):
        link(stash / name, folder / name)
    try:
        (folder / STATE).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def recall(folder: Path, stamp: str) -> dict[str, Any] | None:
    """Bring back a finished run with this stamp from the stash, or None.

    A damaged stash counts as none: the run is trained again. What killed processes left half written is removed.
    """
    forget_partial(folder)
    stash = folder / STASH
    if not (stash / RUN).is_file():
        return None
    try:
        record = read_json(stash / RUN, "")
        intact = record["stamp"] == stamp and sha256_file(stash / PREDICTIONS) == record["predictions_sha256"]
    except Exception:
        return None
    if not intact:
        return None
    for name in (PREDICTIONS, RUN):
        link(stash / name, folder / name)
    return record
