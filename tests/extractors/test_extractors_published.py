import dataclasses
import os

import pytest
import torch

from recollect.datasets.errors import CannotWrite
from recollect.datasets.spec import RemoteFile
from recollect.extractors import ExtractorError
from recollect.extractors.published import published_weights


@pytest.fixture
def published(made, tmp_path):
    """(spec, data_dir with its file)."""
    return made.published(tmp_path / "data" / "weights" / "lenet_MNIST"), tmp_path / "data"


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_found(made, published):
    spec, data_dir = published
    found = published_weights(spec, data_dir, offline=True)
    assert (found.how, found.remote) == ("data_dir", spec.files[0])
    wanted = made.weights("lenet_mnist")
    assert found.weights.keys() == wanted.keys()
    assert all(torch.equal(found.weights[name], wanted[name]) for name in wanted)


def elsewhere(spec, *urls):
    return dataclasses.replace(spec, files=(dataclasses.replace(spec.files[0], urls=urls),))


def test_downloaded_once(published, tmp_path, server, patience):
    spec, data_dir = published
    spec = elsewhere(spec, server.page("/w", (data_dir / spec.files[0].path).read_bytes()))
    empty = tmp_path / "empty"
    empty.mkdir()
    first = published_weights(spec, empty, patience=patience, progress=False)
    second = published_weights(spec, empty, patience=patience, progress=False)
    assert (first.how, second.how) == ("download", "data_dir")
    assert server.requests == ["/w"]
    assert files_in(empty) == ["lenet_MNIST"]


def test_any_alternative_will_do(published, tmp_path, server, patience):
    spec, data_dir = published
    plain = spec.files[0]
    other = RemoteFile(
        "weights/other", (server.page("/o", (data_dir / plain.path).read_bytes()),), sha256=plain.sha256
    )
    spec = dataclasses.replace(spec, files=(plain, other))
    assert published_weights(spec, data_dir, patience=patience).remote is plain
    (data_dir / plain.path).unlink()
    assert published_weights(spec, data_dir, patience=patience, progress=False).remote is other
    assert files_in(data_dir) == ["other"]


def test_a_download_that_is_not_the_published_file_leaves_nothing(published, tmp_path, server, patience):
    spec, data_dir = published
    body = (data_dir / spec.files[0].path).read_bytes()
    (tmp_path / "empty").mkdir()
    for wrong, says in ((body[:-1] + b"X", "wrong checksum, sha256"), (body[:-9], "wrong size")):
        moved = elsewhere(spec, server.page("/w", wrong))
        with pytest.raises(
            ExtractorError, match=f"extractor lenet_mnist: .* has no weights/lenet_MNIST, .*{says}"
        ):
            published_weights(moved, tmp_path / "empty", patience=patience, progress=False)
        assert files_in(tmp_path / "empty") == []


def test_no_way_to_get_it(published, tmp_path, server, patience):
    spec, _ = published
    (tmp_path / "empty").mkdir()
    spec = elsewhere(spec, server.page("/gone", None))
    with pytest.raises(
        ExtractorError, match=r"gone \(HTTP 404 .*put the file there by hand, or point RECOLLECT_DATA"
    ):
        published_weights(spec, tmp_path / "empty", patience=patience, progress=False)
    assert server.requests == ["/gone"]
    with pytest.raises(ExtractorError, match=r"offline, so not tried: http.*/gone; put the file there by hand"):
        published_weights(spec, tmp_path / "empty", offline=True)
    assert server.requests == ["/gone"]
    with pytest.raises(ExtractorError, match=r"data_dir .*nowhere is not an existing folder: create it"):
        published_weights(spec, tmp_path / "nowhere")


def test_a_file_that_is_not_the_published_one_is_not_parsed(published, monkeypatch):
    spec, data_dir = published
    path = data_dir / spec.files[0].path
    body = path.read_bytes()
    monkeypatch.setattr("recollect.extractors.published.read_weights", lambda _: pytest.fail("parsed"))
    path.write_bytes(body[:1000])
    with pytest.raises(
        ExtractorError, match=f"has 1,000 bytes where {len(body):,} are expected, it is not used: re"
    ):
        published_weights(spec, data_dir)
    path.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    with pytest.raises(ExtractorError, match=f"has the SHA-256 .* where {spec.files[0].sha256} is expected"):
        published_weights(spec, data_dir)
    assert path.exists()


def test_a_hostile_file_with_the_right_checksum(made, tmp_path):
    """Were a checksum ever wrong in the registry: still nothing is run."""

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "run"),)

    path = tmp_path / "weights" / "lenet_MNIST"
    path.parent.mkdir()
    torch.save({"fc1.weight": Hostile()}, path)
    with pytest.raises(ExtractorError, match="holds something else than named float32 tensors"):
        published_weights(made.expecting(path), tmp_path)
    assert not (tmp_path / "run").exists()


def test_other_tensors_in_a_file_with_the_right_checksum(published):
    spec, data_dir = published
    with pytest.raises(ExtractorError, match="holds other weights than the published ones"):
        published_weights(dataclasses.replace(spec, weights_sha256="0" * 64), data_dir)


def test_a_folder_that_cannot_be_written(published, tmp_path, server, patience):
    spec, data_dir = published
    spec = elsewhere(spec, server.page("/w", (data_dir / spec.files[0].path).read_bytes()))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "weights").write_text("a file where the folder should be")
    with pytest.raises(CannotWrite, match="Cannot write to"):
        published_weights(spec, tmp_path / "full", patience=patience, progress=False)
