"""From official files to the arrays all else uses: find or fetch, decode, verify, write, vouch."""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from recollect.datasets.checksums import ContentHash, RowsHash, file_digest, rows_sha256
from recollect.datasets.download import Patience, fetch
from recollect.datasets.errors import CorruptData, DatasetError, DownloadFailed, MissingData
from recollect.datasets.intact import check_intact
from recollect.datasets.modalities import describe_modalities, write_modalities
from recollect.datasets.registry import get_spec
from recollect.datasets.spec import DTYPES, DatasetSpec, Decoded, Part, in_batches
from recollect.datasets.store import (
    INFO,
    SCHEMA,
    SIZES,
    FlatNpyWriter,
    NpyWriter,
    write_info,
    writing,
)
from recollect.datasets.verify import check_labels, class_counts, verdict

LOG = logging.getLogger("recollect.datasets")
DOWNLOADS = "download"
PARTIAL = ".partial"


def prepare(
    name: str, data_dir: Path | None, out_dir: Path, *, offline: bool = False, progress: bool = True
) -> dict[str, Any]:
    """Write `train_x`, `train_y`, `test_x`, `test_y` (.npy) and dataset.json of data set `name` to `out_dir`.

    Files are looked for in `data_dir`; what is missing is downloaded into it (into `out_dir/download` when it
    is None), unless `offline`. Intact output of an earlier call is left as it is. One process per `out_dir`.

    Args:
        name: a key of `registry.DATASETS`.
        data_dir: folder with official files, see docs/data.md; it must exist.
        out_dir: folder to fill; made if need be.
        offline: never open a connection.
        progress: progress bars on stderr, when that is a terminal.

    Returns:
        The content of dataset.json.

    Raises:
        UnknownDataset, MissingData, DownloadFailed, CorruptData, CannotWrite.
    """
    return prepare_spec(get_spec(name), data_dir, out_dir, offline=offline, progress=progress)


def prepare_spec(
    spec: DatasetSpec,
    data_dir: Path | None,
    out_dir: Path,
    *,
    offline: bool = False,
    progress: bool = True,
    patience: Patience | None = None,
) -> dict[str, Any]:
    """`prepare` for a data set that need not be in the registry."""
    done = _intact(spec, out_dir)
    if done is not None:
        return done
    folder = _source_folder(spec, data_dir, out_dir)
    decoded, source = _decode(spec, folder, offline=offline, progress=progress, patience=patience)
    for part, counts in ((decoded.train, spec.train_counts), (decoded.test, spec.test_counts)):
        check_labels(spec, part, counts)
    with _partial_folder(out_dir) as partial:
        content, rows = _write_arrays(spec, decoded, partial, progress)
        files = [_file_entry(path, folder) for path in decoded.files]
        info = _describe(spec, decoded, content, verdict(spec, content, rows, files), source, files)
        info |= _values(spec, partial) | _storage(spec) | describe_modalities(spec, decoded, partial)
        _publish(partial, out_dir, info)
    return info


def _intact(spec: DatasetSpec, out_dir: Path) -> dict[str, Any] | None:
    """Return dataset.json if `out_dir` already holds this data set, whole; else None."""
    try:
        info = check_intact(out_dir).info
    except (DatasetError, OSError):
        return None
    same = info["dataset"] == spec.name and info["n_classes"] == spec.n_classes
    return info if same and spec.content_sha256 in (None, info["content_sha256"]) else None


def _source_folder(spec: DatasetSpec, data_dir: Path | None, out_dir: Path) -> Path:
    if data_dir is None or not spec.files:
        return out_dir / DOWNLOADS
    if not os.path.isdir(data_dir):
        raise MissingData(
            f"data_dir {data_dir} is not an existing folder: create it, or correct RECOLLECT_DATA or "
            "--config data_dir=",
            looked=[str(data_dir)],
        )
    return data_dir


def _decode(
    spec: DatasetSpec, folder: Path, *, offline: bool, progress: bool, patience: Patience | None
) -> tuple[Decoded, str]:
    """Load from `folder`, fetching what is missing; also says whence: embedded, data_dir or download."""
    if not spec.files:
        return spec.load(folder), "embedded"
    try:
        return spec.load(folder), "data_dir"
    except MissingData as error:
        missing = error
    remotes = [remote for remote in spec.files if remote.path in missing.wanted]
    help_text = (
        f"put the files into {folder} by hand, or point RECOLLECT_DATA or --config data_dir= at a "
        f"folder that has them ({spec.how_to_get})"
    )
    if offline or not all(remote.urls for remote in remotes):
        urls = [url for remote in remotes for url in remote.urls]
        why = f"offline, so not tried: {', '.join(urls)}" if urls else "no address to download them from"
        message = f"{spec.name}: {missing}; {why}; {help_text}"
        raise MissingData(message, wanted=missing.wanted, looked=missing.looked)
    try:
        for remote in remotes:
            fetch(remote, folder, patience=patience, progress=progress)
    except DownloadFailed as error:
        message = f"{spec.name}: {missing}, and {error}; {help_text}"
        raise DownloadFailed(message, wanted=missing.wanted, looked=missing.looked) from error
    return spec.load(folder), "download"


@contextmanager
def _partial_folder(out_dir: Path) -> Iterator[Path]:
    """Give an empty folder inside `out_dir`, gone afterwards; clears one that a killed run left."""
    partial = out_dir / PARTIAL
    existed = out_dir.exists()
    with writing(out_dir):
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if not existed and not any(out_dir.iterdir()):
            out_dir.rmdir()


def _write_arrays(spec: DatasetSpec, decoded: Decoded, folder: Path, progress: bool) -> tuple[str, str | None]:
    """Stream the four arrays to `folder`; returns content_sha256 and, if the spec knows one, rows_sha256."""
    content, halves = ContentHash(), []
    for half, part in (("train", decoded.train), ("test", decoded.test)):
        rows = RowsHash() if spec.rows_sha256 else None
        shape = (len(part.y), *(spec.stored_shape or spec.input_shape))
        if part.blocks is not None:
            write_modalities(spec, part, half, folder, content, progress)
        elif part.own_sizes is not None:
            _write_own_sizes(part, part.own_sizes, folder, content, progress)
        else:
            content.begin(f"{half}_x", DTYPES[spec.dtype], shape)
            writer = NpyWriter(folder / f"{half}_x.npy", DTYPES[spec.dtype], shape)
            _write_images(part, writer, f"{half}_x", content, rows, progress)
        labels = part.y.astype("<i8")
        content.begin(f"{half}_y", labels.dtype, labels.shape)
        content.update(labels)
        writer = NpyWriter(folder / f"{half}_y.npy", labels.dtype, labels.shape)
        writer.write(labels)
        writer.close()
        if rows is not None:
            halves.append(rows)
    return content.hexdigest(), rows_sha256(halves) if halves else None


def _write_own_sizes(
    part: Part, images: Iterable[np.ndarray], folder: Path, content: ContentHash, progress: bool
) -> None:
    """Stream training images that differ in size into one flat array, and their sizes into another."""
    writer, sizes = FlatNpyWriter(folder / "train_x.npy"), []
    content.begin("train_x", np.dtype("u1"), (len(part.y), 3))
    try:
        for image in tqdm(
            images, total=len(part.y), unit=" images", desc="train_x", disable=None if progress else True
        ):
            writer.write(image.ravel())
            content.update(image)
            sizes.append(image.shape[1:])
        writer.close()
    finally:
        writer.abandon()
    table = np.array(sizes, dtype="<i4").reshape(-1, 2)
    if len(table) != len(part.y):
        raise CorruptData(f"{part.origin} gave {len(table)} images where it lists {len(part.y)}: replace it")
    content.begin(SIZES, table.dtype, table.shape)
    content.update(table)
    sizes_writer = NpyWriter(folder / f"{SIZES}.npy", table.dtype, table.shape)
    sizes_writer.write(table)
    sizes_writer.close()


def _write_images(
    part: Part,
    writer: NpyWriter,
    name: str,
    content: ContentHash,
    rows: RowsHash | None,
    progress: bool,
) -> None:
    start = 0
    try:
        with tqdm(total=len(part.y), unit=" images", desc=name, disable=None if progress else True) as bar:
            for block in part.images:
                writer.write(block)
                content.update(block)
                if rows is not None:
                    rows.update(block, part.y[start : start + len(block)])
                start += len(block)
                bar.update(len(block))
        writer.close()
    except ValueError as error:
        raise CorruptData(
            f"{part.origin} holds images of another shape or number than expected ({error})"
        ) from error
    finally:
        writer.abandon()


def _file_entry(path: Path, folder: Path) -> dict[str, Any]:
    """Describe one source for dataset.json; a folder gets its total size and no checksum."""
    relative = path.relative_to(folder).as_posix()
    if path.is_dir():
        n_bytes = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return {"path": f"{relative}/", "bytes": n_bytes, "sha256": None}
    return {"path": relative, "bytes": path.stat().st_size, "sha256": file_digest(path)}


def _describe(
    spec: DatasetSpec, decoded: Decoded, content: str, verified: str, source: str, files: list[dict[str, Any]]
) -> dict[str, Any]:
    """Build dataset.json: no absolute paths and no times, so that the same inputs give the same bytes."""
    halves = {
        half: {"n": len(part.y), "class_counts": class_counts(part.y, spec.n_classes)}
        for half, part in (("train", decoded.train), ("test", decoded.test))
    }
    return {
        "schema": SCHEMA,
        "dataset": spec.name,
        "title": spec.title,
        "n_classes": spec.n_classes,
        "input_shape": list(spec.input_shape),
        **halves,
        "content_sha256": content,
        "verified": verified,
        "source": source,
        "files": files,
    }


def _values(spec: DatasetSpec, folder: Path) -> dict[str, Any]:
    """What dataset.json says of pixel values: nothing for uint8, as ever; else dtype and training extremes."""
    if spec.dtype == "uint8":
        return {}
    x = np.load(folder / "train_x.npy", mmap_mode="r", allow_pickle=False)
    low = min(float(block.min()) for block in in_batches(x))
    high = max(float(block.max()) for block in in_batches(x))
    return {"dtype": spec.dtype, "value_range": [low, high]}


def _storage(spec: DatasetSpec) -> dict[str, Any]:
    """What dataset.json says where images are not stored as methods see them."""
    stored = {} if spec.stored_shape is None else {"stored_shape": list(spec.stored_shape)}
    return {**stored, "own_sizes": True} if spec.own_sizes else stored


def _publish(partial: Path, out_dir: Path, info: dict[str, Any]) -> None:
    """Move the arrays into place and dataset.json last: where that is present, all is."""
    write_info(info, partial / INFO)
    with writing(out_dir):
        (out_dir / INFO).unlink(missing_ok=True)
        for name in (*sorted(path.name for path in partial.glob("*.npy")), INFO):
            (partial / name).replace(out_dir / name)
    LOG.info("%s prepared in %s (%s)", info["dataset"], out_dir, info["verified"])
