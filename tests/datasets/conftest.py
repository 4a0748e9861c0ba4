"""Small hand-made files in the official formats, and a local web server that misbehaves on request."""

import dataclasses
import gzip
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from recollect.datasets.download import Patience
from recollect.datasets.registry import DATASETS

CELEBA_COLUMNS = """
5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair
Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair
Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face
Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair
Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young
""".split()  # noqa: SIM905 - forty names read better as one text


def idx_bytes(array: np.ndarray) -> bytes:
    """Encode uint8 values as an idx file."""
    head = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


def tiny_mnist(data_dir: Path, folder: str = "mnist", zipped: bool = True) -> SimpleNamespace:
    """Lay out 20 + 10 images of random pixels, labels 0..9 repeating."""
    rng = np.random.default_rng(0)
    arrays = SimpleNamespace(
        train_x=rng.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        train_y=np.arange(20) % 10,
        test_x=rng.integers(0, 256, (10, 28, 28), dtype=np.uint8),
        test_y=np.arange(10),
    )
    home = data_dir / folder
    home.mkdir(parents=True, exist_ok=True)
    for stem, half in (("train", "train"), ("t10k", "test")):
        for kind, array in (("images-idx3", f"{half}_x"), ("labels-idx1", f"{half}_y")):
            body = idx_bytes(getattr(arrays, array))
            name = f"{stem}-{kind}-ubyte"
            if zipped:
                (home / f"{name}.gz").write_bytes(gzip.compress(body, mtime=0))
            else:
                (home / name).write_bytes(body)
    return arrays


def stroke(seed: int, size: tuple[int, int] = (105, 105)) -> Image.Image:
    """Draw random black ink on white paper, one bit per pixel like Omniglot."""
    ink = np.random.default_rng(seed).random((size[1], size[0])) < 0.1
    return Image.fromarray(np.where(ink, 0, 255).astype(np.uint8)).convert("1")


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """Encode an image file in memory."""
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def tiny_omniglot(data_dir: Path, stem: str = "images_background") -> dict[tuple[str, str, int], Image.Image]:
    """Write a zip of 2 alphabets with 2 and 1 characters by 20 drawers, in scrambled order."""
    characters = [("Zulu", "character01", 1), ("Arcadian", "character02", 3), ("Arcadian", "character01", 2)]
    drawings = {
        (alphabet, char, drawer): stroke(100 * number + drawer)
        for alphabet, char, number in characters
        for drawer in range(20, 0, -1)
    }
    path = data_dir / "omniglot" / f"{stem}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{stem}/", b"")
        for (alphabet, char, drawer), image in drawings.items():
            archive.writestr(f"{stem}/{alphabet}/{char}/0001_{drawer:02d}.png", encoded(image))
        archive.writestr(f"__MACOSX/{stem}/Zulu/character01/0001_01.png", b"not an image")
    return drawings


def cifar_records(n: int, label_bytes: int, n_classes: int, seed: int) -> np.ndarray:
    """Make uint8 records (n, label_bytes + 3072); the last label byte is row number modulo `n_classes`."""
    records = np.random.default_rng(seed).integers(0, 256, (n, label_bytes + 3072), dtype=np.uint8)
    records[:, label_bytes - 1] = np.arange(n) % n_classes
    return records


def tiny_celeba(data_dir: Path, zipped: bool = False) -> list[set[str]]:
    """Lay out six 178x218 JPEGs with attributes chosen so that every way of assigning a class occurs."""
    holds = [
        {"Black_Hair", "Male"},  # class 0
        {"Brown_Hair"},  # class 7
        {"Wearing_Hat", "Blond_Hair", "Male"},  # hat, then blond over it: class 2
        {"Smiling"},  # none: dropped
        {"Gray_Hair", "Bald", "Black_Hair"},  # bald wins: class 9
        {"Black_Hair"},  # class 1
    ]
    home = data_dir / "celeba"
    (home / "img_align_celeba").mkdir(parents=True)
    lines = [str(len(holds)), " ".join(CELEBA_COLUMNS) + " "]
    for i, attributes in enumerate(holds, start=1):
        lines.append(f"{i:06d}.jpg " + " ".join(" 1" if c in attributes else "-1" for c in CELEBA_COLUMNS))
        pixels = np.random.default_rng(i).integers(0, 256, (218, 178, 3), dtype=np.uint8)
        (home / "img_align_celeba" / f"{i:06d}.jpg").write_bytes(encoded(Image.fromarray(pixels), "JPEG"))
    (home / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    (home / "list_eval_partition.txt").write_text(
        "".join(f"{i:06d}.jpg {part}\n" for i, part in enumerate((0, 0, 0, 0, 2, 2), start=1))
    )
    if zipped:
        with zipfile.ZipFile(home / "img_align_celeba.zip", "w") as archive:
            for path in sorted((home / "img_align_celeba").iterdir()):
                archive.write(path, f"img_align_celeba/{path.name}")
                path.unlink()
        (home / "img_align_celeba").rmdir()
    return holds


def tiny_spec(name: str, **changes):
    """Return a registered spec that expects no particular counts or content."""
    blank = {"train_counts": None, "test_counts": None, "content_sha256": None, "rows_sha256": None}
    return dataclasses.replace(DATASETS[name], **{**blank, **changes})


@pytest.fixture
def official() -> SimpleNamespace:
    """Give the makers of official files to a test."""
    return SimpleNamespace(
        idx_bytes=idx_bytes,
        mnist=tiny_mnist,
        omniglot=tiny_omniglot,
        stroke=stroke,
        encoded=encoded,
        cifar_records=cifar_records,
        celeba=tiny_celeba,
        celeba_columns=CELEBA_COLUMNS,
        spec=tiny_spec,
    )


@pytest.fixture
def real_data() -> Path:
    """Give a `data_dir` with real data sets, or skip."""
    folder = os.environ.get("RECOLLECT_DATA")
    if not folder:
        pytest.skip("set RECOLLECT_DATA to a data_dir with the official data sets to run this")
    return Path(folder)


class Server:
    """Answers each path with the next of its planned (status, body, headers); the last one repeats."""

    def __init__(self) -> None:
        self.plans: dict[str, list[tuple[int, bytes, dict[str, str]]]] = {}
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                plan = outer.plans.get(self.path, [(404, b"", {})])
                status, body, headers = plan.pop(0) if len(plan) > 1 else plan[0]
                self.send_response(status)
                for key, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args) -> None:
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._httpd.server_address[1]}"
        threading.Thread(target=self._httpd.serve_forever, args=(0.01,), daemon=True).start()

    def plan(self, path: str, *answers: tuple) -> str:
        """Plan the answers of one path; an answer is (status, body[, headers]). Returns the address."""
        self.plans[path] = [(a[0], a[1], a[2] if len(a) > 2 else {}) for a in answers]
        return self.url + path

    def close(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Give a local web server, reached without any proxy."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    yield running
    running.close()


@pytest.fixture
def patience() -> Patience:
    """Give three attempts with no waiting between them."""
    return Patience(attempts=3, timeout_s=5, sleep=lambda seconds: None)
