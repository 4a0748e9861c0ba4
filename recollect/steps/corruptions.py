"""Corruptions: corrupted copies of a test set are found in data_dir or made, and listed with their hashes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from recollect.datasets import Prepared, open_prepared
from recollect.datasets.store import NpyWriter, writing
from recollect.errors import RecollectError
from recollect.files import canonical_json, read_json, sha256_text, write_json
from recollect.provenance.fingerprint import step_fingerprint
from recollect.robustness.generate import (
    CORRUPTION_NAMES,
    FRAMES,
    PERTURBATIONS,
    corrupted,
    describe,
    perturbed,
)
from recollect.robustness.npy import NpyFile
from recollect.robustness.official import LABELS, find_archive, read_archive
from recollect.robustness.sets import CORRUPTIONS, SEVERITIES, get_set
from recollect.steps.places import Places

LOG = logging.getLogger("recollect.robustness")
SCHEMA = 1
BLOCK = 250
"""Images per block; part of what is made, as every block has its own noise."""


def make_corruptions(
    name: str, kind: str, places: Places, data_dir: Path, *, progress: bool = True
) -> dict[str, Any]:
    """Write the list of a set's files, after making those that have no official archive in data_dir.

    Args:
        name: a key of `robustness.SETS`; its data set must be prepared.
        kind: ``corruptions`` or ``perturbations``.
        places: the results folder.
        data_dir: where official archives are looked for; they stay there.
        progress: a bar on stderr, when that is a terminal.

    Raises:
        RecollectError: an archive is there but is not what it should be; no room.
    """
    chosen = get_set(name)
    data = open_prepared(places.data(chosen.dataset))
    if data.test_x.dtype != np.uint8:
        raise RecollectError(f"{chosen.dataset} has no bytes as pixels, corruptions are defined for those only")
    archive = chosen.archives.get(kind)
    found = find_archive(data_dir, archive) if archive else None
    if found is not None and archive is not None:
        files = read_archive(found, kind, archive.title, data.test_x, data.test_y)
        root, remark = data_dir, ""
    else:
        if archive is not None:
            LOG.warning(
                "%s is not in %s, made here instead; official: %s", archive.title, data_dir, archive.how_to_get
            )
        rows = chosen.rows(np.asarray(data.test_y))
        files = _make(data, rows, kind, places.corruptions(name, kind).parent / kind, progress)
        root, remark = places.results, describe(kind, chosen.title(kind)) + chosen.part
    record = _record(name, kind, data, files, root, progress)
    record |= {"in": "results" if found is None else "data_dir", "remark": remark}
    write_json(places.corruptions(name, kind), record)
    return record


def _record(
    name: str, kind: str, data: Prepared, files: list[NpyFile], root: Path, progress: bool
) -> dict[str, Any]:
    entries = []
    for file in tqdm(files, desc="hashing", disable=None if progress else True):
        where = Path(os.path.relpath(file.path, root)).as_posix()
        entries.append(
            {"name": file.name, "path": where, "start": file.start, "end": file.end, "sha256": _digest(file)}
        )
    hashes = [[entry["name"], entry["sha256"]] for entry in entries]
    return {
        "schema": SCHEMA,
        "set": name,
        "kind": kind,
        "dataset": data.info["dataset"],
        "data_sha256": data.info["content_sha256"],
        "sha256": sha256_text(canonical_json(hashes)),
        "files": entries,
    }


def _digest(file: NpyFile) -> str:
    import hashlib

    digest, left = hashlib.sha256(), file.end - file.start
    with file.path.open("rb") as stream:
        stream.seek(file.start)
        while left and (chunk := stream.read(min(left, 1 << 22))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def _make(data: Prepared, rows: np.ndarray, kind: str, folder: Path, progress: bool) -> list[NpyFile]:
    """Make every file that is not there yet, of test images ``rows``; each is written under another name first."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "made_from.json"
    code = step_fingerprint("recollect.robustness.generate")
    made_from = {"data_sha256": data.info["content_sha256"], "how": describe(kind, None), "code": code}
    if len(rows) < len(data.test_y):
        made_from["images"] = len(rows)
    if not stamp.is_file() or read_json(stamp, f"delete {folder}") != made_from:
        for old in folder.glob("*.npy"):
            old.unlink()
        write_json(stamp, made_from)
    images = np.asarray(data.test_x)[rows].transpose(0, 2, 3, 1)
    shape = images.shape
    if kind == CORRUPTIONS:
        wanted = (SEVERITIES * shape[0], *shape[1:])
        jobs = {name: (wanted, _severities(images, name)) for name in CORRUPTION_NAMES}
    else:
        wanted = (shape[0], FRAMES, *shape[1:])
        jobs = {name: (wanted, _sequences(images, name)) for name in PERTURBATIONS}
    files = []
    with tqdm(total=len(jobs), unit=" files", desc=f"making {kind}", disable=None if progress else True) as bar:
        for name, (size, blocks) in jobs.items():
            files.append(_write(folder / f"{name}.npy", np.dtype("u1"), size, blocks))
            bar.update()
    if kind == CORRUPTIONS:
        labels = np.tile(np.asarray(data.test_y)[rows].astype("<i8"), SEVERITIES)
        files.insert(0, _write(folder / f"{LABELS}.npy", labels.dtype, labels.shape, iter([labels])))
    return files


def _severities(images: np.ndarray, name: str) -> Iterator[np.ndarray]:
    for severity in range(1, SEVERITIES + 1):
        yield corrupted(images, name, severity)


def _sequences(images: np.ndarray, name: str) -> Iterator[np.ndarray]:
    for start in range(0, len(images), BLOCK):
        yield perturbed(images[start : start + BLOCK], name)


def _write(path: Path, dtype: np.dtype, shape: tuple[int, ...], blocks: Iterator[np.ndarray]) -> NpyFile:
    if not path.is_file():
        part = path.with_name(f".{path.name}.part")
        writer = NpyWriter(part, dtype, shape)
        try:
            for block in blocks:
                writer.write(block)
            writer.close()
        finally:
            writer.abandon()
        with writing(path.parent):
            part.replace(path)
    return NpyFile(path.stem, path, 0, path.stat().st_size)


def open_files(record: dict[str, Any], data_dir: Path, places: Places) -> dict[str, NpyFile]:
    """The files of a record, by name.

    Raises:
        RecollectError: one is no longer where it was, or of another size.
    """
    root = data_dir if record["in"] == "data_dir" else places.results
    files = {}
    for entry in record["files"]:
        path = root / entry["path"]
        if not path.is_file() or path.stat().st_size < entry["end"]:
            again = places.corruptions(record["set"], record["kind"])
            raise RecollectError(
                f"{path} is no longer what {again} says: put it back, or delete {again} and run again"
            )
        files[entry["name"]] = NpyFile(entry["name"], path, entry["start"], entry["end"])
    return files
