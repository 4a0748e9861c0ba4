"""What a run records of its surroundings, also where there is no git and no such package."""

import platform
import subprocess
from importlib import metadata

import pytest

from recollect.provenance import environment


@pytest.fixture
def git(tmp_path, monkeypatch):
    """A checkout of its own, with one committed file."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    environment.git_state.cache_clear()

    def run(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *who, *arguments], capture_output=True, text=True, check=True
        )

    run("init", "--quiet")
    (tmp_path / "file").write_text("1")
    run("add", "file")
    run("commit", "--quiet", "-m", "first")
    yield run
    environment.git_state.cache_clear()


def test_commit_and_changes_of_tracked_files(git, tmp_path):
    commit = git("rev-parse", "HEAD").stdout.strip()
    (tmp_path / "untracked").write_text("2")
    assert environment.git_state() == {"commit": commit, "dirty": False}
    (tmp_path / "file").write_text("2")
    environment.git_state.cache_clear()
    assert environment.git_state() == {"commit": commit, "dirty": True}


def test_without_git_the_state_is_unknown(git, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert environment.git_state() == {"commit": None, "dirty": None}


def test_versions_of_what_can_change_a_number(monkeypatch):
    environment.versions.cache_clear()
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "torch", "no-such-package"))
    found = environment.versions()
    environment.versions.cache_clear()
    assert found == {
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "torch": metadata.version("torch"),
        "no-such-package": None,
    }


def test_processor_has_a_name():
    assert environment.processor().strip()
