"""One locked set of packages for pip and conda users, and no address of a package index anywhere."""

import re
import subprocess
import tomllib

import pytest
import yaml

from recollect.layout import ROOT

LOCKS = ("requirements.lock", "requirements-uv.lock")


def normalised(name):
    """A package name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def logical_lines(name):
    """The lines of a requirements file, continued ones joined, comments left out."""
    joined = (ROOT / name).read_text().replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pinned(name):
    """Package -> list of (version, hashes) in a lock file; several where markers tell platforms apart."""
    found = {}
    for line in logical_lines(name):
        match = re.fullmatch(
            r"([A-Za-z0-9][\w.-]*)==(\S+?)(?:\s*;[^#]*?)?((?:\s+--hash=sha256:[0-9a-f]{64})+)", line
        )
        assert match, f"{name}: {line[:80]!r} is not package==version with hashes"
        found.setdefault(normalised(match[1]), []).append((match[2], re.findall(r"sha256:(\w+)", match[3])))
    return found


@pytest.fixture(scope="module")
def conda():
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def test_conda_installs_the_lock_and_nothing_else(conda):
    assert conda["name"] == "recollect"
    assert conda["channels"] == ["conda-forge"]
    nested = [entry for entry in conda["dependencies"] if isinstance(entry, dict)]
    assert nested == [{"pip": ["-r requirements.lock"]}]
    assert {re.split(r"[<>=!, ]", e)[0] for e in conda["dependencies"] if isinstance(e, str)} == {"python", "pip"}


def test_conda_python_is_one_that_the_project_supports(conda):
    python = next(e for e in conda["dependencies"] if isinstance(e, str) and e.startswith("python"))
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert lowest in python.removeprefix("python").split(",")


def test_every_requirement_is_pinned_with_hashes():
    wanted = [normalised(re.split(r"[<>=!~;\[ ]", line)[0]) for line in logical_lines("requirements.in")]
    lock = pinned("requirements.lock")
    assert len(wanted) > 20
    assert [name for name in wanted if name not in lock] == []
    assert list(pinned("requirements-uv.lock")) == ["uv"]


def test_pins_of_requirements_are_kept():
    lock = pinned("requirements.lock")
    asked = [line.split("==") for line in logical_lines("requirements.in") if "==" in line]
    assert asked
    assert all({version for version, _ in lock[normalised(name)]} == {exact} for name, exact in asked)


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_no_address(name):
    text = (ROOT / name).read_text()
    assert len(pinned(name)) >= 1
    for sign in ("://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host", " @ ", "file:"):
        assert sign not in text


# Written in two parts, so that this file does not hold what it looks for.
REGISTRIES = [
    "".join(parts)
    for parts in (
        ("py", "pi.org"),
        ("python", "hosted.org"),
        ("py", "pi.python.org"),
        ("ana", "conda.org"),
        ("ana", "conda.com"),
        ("download.py", "torch.org"),
        ("npm", "js.org"),
        ("npm", "js.com"),
        ("crates", ".io"),
        ("proxy.go", "lang.org"),
        ("arti", "factory"),
    )
]


def repository_files():
    """Every file that is or would be committed; without git, nothing can be said."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def test_no_file_names_a_package_registry():
    files = repository_files()
    assert ROOT / "requirements.in" in files
    hosts = re.compile("|".join(re.escape(host) for host in REGISTRIES).encode(), re.IGNORECASE)
    named = {str(path.relative_to(ROOT)): match[0] for path in files if (match := hosts.search(path.read_bytes()))}
    assert named == {}


def test_the_search_would_find_one(tmp_path):
    hosts = re.compile("|".join(re.escape(host) for host in REGISTRIES), re.IGNORECASE)
    assert hosts.search("see https://Py" + "Pi.org/simple")
    assert not hosts.search("pypi, conda-forge, pytorch.org, golang")
