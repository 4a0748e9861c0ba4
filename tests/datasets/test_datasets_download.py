import hashlib
import re
import socket

import pytest

from recollect.datasets.download import Patience, fetch
from recollect.datasets.errors import CannotWrite, DownloadFailed
from recollect.datasets.spec import RemoteFile

BODY = b"the official file" * 1000


def remote(*urls, body=BODY, **changes):
    known = {"sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body), **changes}
    return RemoteFile("set/file.bin", urls, **known)


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_success(tmp_path, server, patience):
    path = fetch(remote(server.plan("/f", (200, BODY))), tmp_path, patience=patience)
    assert path == tmp_path / "set/file.bin"
    assert path.read_bytes() == BODY
    assert files_in(tmp_path) == ["file.bin"]


def test_a_file_that_is_there_is_left_alone(tmp_path, server, patience):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/file.bin").write_bytes(b"mine")
    fetch(remote(server.plan("/f", (200, BODY))), tmp_path, patience=patience)
    assert (tmp_path / "set/file.bin").read_bytes() == b"mine"
    assert server.requests == []


def test_md5_alone_is_enough(tmp_path, server, patience):
    wanted = remote(server.plan("/f", (200, BODY)), sha256=None, md5=hashlib.md5(BODY).hexdigest())
    assert fetch(wanted, tmp_path, patience=patience).exists()


@pytest.mark.parametrize(
    ("body", "changes", "says"),
    [
        (BODY[:-1] + b"X", {}, "wrong checksum, sha256"),
        (BODY[:-1] + b"X", {"sha256": None, "md5": "0" * 32}, "wrong checksum, md5"),
        (BODY[:-1], {}, "wrong size, 16,999 bytes where 17,000"),
        (BODY + b"X", {}, "wrong size, more than"),
    ],
)
def test_wrong_file_is_refused_without_retry(tmp_path, server, patience, body, changes, says):
    with pytest.raises(DownloadFailed, match=says):
        fetch(remote(server.plan("/f", (200, body)), **changes), tmp_path, patience=patience)
    assert files_in(tmp_path) == []
    assert server.requests == ["/f"]


def test_a_missing_page_leads_to_the_mirror_at_once(tmp_path, server, patience):
    wanted = remote(server.plan("/gone", (404, b"")), server.plan("/mirror", (200, BODY)))
    assert fetch(wanted, tmp_path, patience=patience).read_bytes() == BODY
    assert server.requests == ["/gone", "/mirror"]


def test_a_wrong_file_leads_to_the_mirror(tmp_path, server, patience):
    wanted = remote(server.plan("/bad", (200, b"x" * 17_000)), server.plan("/mirror", (200, BODY)))
    assert fetch(wanted, tmp_path, patience=patience).read_bytes() == BODY


def test_two_failures_then_success(tmp_path, server):
    pauses = []
    patience = Patience(attempts=3, backoff_s=0.5, sleep=pauses.append)
    wanted = remote(server.plan("/f", (503, b""), (500, b""), (200, BODY)))
    assert fetch(wanted, tmp_path, patience=patience).read_bytes() == BODY
    assert pauses == [0.5, 1.0]


def test_a_connection_that_breaks_off_is_tried_again(tmp_path, server, patience):
    wanted = remote(server.plan("/f", (200, BODY[:500], {"Content-Length": str(len(BODY))}), (200, BODY)))
    assert fetch(wanted, tmp_path, patience=patience).read_bytes() == BODY


def test_gives_up_after_the_last_attempt(tmp_path, server, patience):
    with pytest.raises(DownloadFailed, match="HTTP 503"):
        fetch(remote(server.plan("/f", (503, b""))), tmp_path, patience=patience)
    assert len(server.requests) == 3


def test_every_address_is_named_with_its_reason(tmp_path, server, patience):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/f"
    gone = server.plan("/gone", (404, b""))
    with pytest.raises(DownloadFailed) as error:
        fetch(remote(closed, gone, "file:///etc/passwd"), tmp_path, patience=patience)
    text = str(error.value)
    assert re.search(re.escape(closed) + r" \(Connection refused\)", text)
    assert re.search(re.escape(gone) + r" \(HTTP 404 .*?\)", text)
    assert "file:///etc/passwd (only http and https addresses are fetched)" in text
    assert error.value.wanted == ("set/file.bin",)


def test_silent_server_times_out(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/f"
        with pytest.raises(DownloadFailed, match="timed out"):
            fetch(remote(url), tmp_path, patience=Patience(attempts=1, timeout_s=0.1))


def test_folder_that_cannot_be_written(tmp_path, server, patience):
    (tmp_path / "set").write_bytes(b"a file where the folder should be")
    with pytest.raises(CannotWrite, match="Cannot write to"):
        fetch(remote(server.plan("/f", (200, BODY))), tmp_path, patience=patience)


def test_no_address(tmp_path, patience):
    with pytest.raises(DownloadFailed, match="no address is known"):
        fetch(remote(), tmp_path, patience=patience)
