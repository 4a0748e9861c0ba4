import re

import pytest

from recollect.datasets.errors import UnknownDataset
from recollect.datasets.registry import DATASETS, get_spec


@pytest.mark.parametrize("spec", DATASETS.values(), ids=DATASETS)
def test_entries_are_complete(spec):
    assert re.fullmatch(r"[a-z0-9_]+", spec.name)
    assert spec.title
    assert spec.how_to_get
    assert spec.licence
    assert spec.citation
    for counts in (spec.train_counts, spec.test_counts):
        assert counts is None or len(counts) == spec.n_classes
    for file in spec.files:
        assert not file.path.startswith("/")
        no_address = (
            spec.name == "cern_zdc" or spec.own_sizes or (spec.modalities and not file.path.startswith("mnist"))
        )
        if no_address:  # never published, or no checksum and no plain address
            assert (file.urls, file.sha256, file.md5, file.size_bytes) == ((), None, None, None)
            continue
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert re.fullmatch(r"[0-9a-f]{32}", file.md5)
        assert file.size_bytes > 0
        assert all(url.endswith(file.path.rpartition("/")[2]) for url in file.urls)
        assert bool(file.urls) != spec.name.startswith("celeba")


def test_only_one_set_has_no_test_half():
    assert [spec.name for spec in DATASETS.values() if not spec.has_test] == ["omniglot_joined"]


def test_unknown_name_suggests_a_close_one():
    with pytest.raises(UnknownDataset, match="did you mean fashion_mnist: choose one of digits, mnist"):
        get_spec("fashion-mnist")
