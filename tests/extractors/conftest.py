"""Extractors with random weights, their files as published ones come, and a local web server."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from recollect.datasets.download import Patience
from recollect.datasets.spec import RemoteFile
from recollect.extractors import EXTRACTORS, ExtractorSpec
from recollect.extractors.networks import NETWORKS, build
from recollect.extractors.weights import weights_sha256


def random_weights(id: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights of the network of extractor ``id``, none of them at a special value."""
    spec = EXTRACTORS[id]
    generator = torch.Generator().manual_seed(seed)
    network = NETWORKS[spec.network](spec.n_outputs)
    shapes = {n: v.shape for n, v in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    weights = {n: torch.randn(shape, generator=generator) * 0.2 for n, shape in shapes.items()}
    return {n: v.abs() + 0.5 if n.endswith("running_var") else v for n, v in weights.items()}


def random_images(id: str, n: int, seed: int = 0) -> np.ndarray:
    """Images uint8 (n, C, H, W) that extractor ``id`` takes."""
    shape = EXTRACTORS[id].input_shape or (3, 40, 40)
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


class Made:
    """Makers of extractors and files."""

    weights = staticmethod(random_weights)
    images = staticmethod(random_images)

    def extractor(self, id: str, seed: int = 0):
        from recollect.extractors.features import Extractor

        weights = random_weights(id, seed)
        return Extractor(EXTRACTORS[id], build(EXTRACTORS[id], weights), weights_sha256(weights))

    def published(self, path: Path, *urls: str, id: str = "lenet_mnist") -> ExtractorSpec:
        """Write random weights as a checkpoint at ``path``; returns a spec that expects just them."""
        weights = random_weights(id)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(weights, path, _use_new_zipfile_serialization=False)
        return self.expecting(path, *urls, id=id, weights_sha256=weights_sha256(weights))

    def expecting(self, path: Path, *urls: str, id: str = "lenet_mnist", **changes) -> ExtractorSpec:
        """A spec of extractor ``id`` that expects the bytes of file ``path``."""
        body = path.read_bytes()
        digest = hashlib.sha256(body).hexdigest()
        remote = RemoteFile(f"weights/{path.name}", urls, sha256=digest, size_bytes=len(body))
        return dataclasses.replace(EXTRACTORS[id], files=(remote,), **{"weights_sha256": None, **changes})


@pytest.fixture(scope="session")
def made() -> Made:
    return Made()


class Server:
    """Serves the bytes in ``pages``, by path."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                body = outer.pages.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *args) -> None:
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._url = f"http://127.0.0.1:{self._httpd.server_address[1]}"
        threading.Thread(target=self._httpd.serve_forever, args=(0.01,), daemon=True).start()

    def page(self, path: str, body: bytes | None) -> str:
        """Serve ``body`` (None: nothing) at ``path``; returns the address."""
        if body is not None:
            self.pages[path] = body
        return self._url + path

    def close(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A local web server, reached without any proxy."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    yield running
    running.close()


@pytest.fixture
def patience() -> Patience:
    return Patience(attempts=2, timeout_s=5, sleep=lambda seconds: None)
