"""What can go wrong with data sets: each error's text is one sentence on what, where and what to do."""

from collections.abc import Sequence

from recollect.errors import RecollectError


class DatasetError(RecollectError):
    """Any trouble with a data set."""


class UnknownDataset(DatasetError):  # noqa: N818 - names what happened, as the rest of this family does
    """No data set has that name."""


class MissingData(DatasetError):  # noqa: N818
    """Files were not found.

    `wanted` names the missing official files (paths relative to `data_dir`), `looked` the places tried.
    """

    def __init__(self, message: str, *, wanted: Sequence[str] = (), looked: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.wanted = tuple(wanted)
        self.looked = tuple(looked)


class DownloadFailed(MissingData):
    """Files were not found, and no address gave them."""


class CorruptData(DatasetError):  # noqa: N818
    """A file is there but is truncated, hostile, of another format, or not the data set it should be."""


class CannotWrite(DatasetError):  # noqa: N818
    """The output folder is read-only, full or otherwise not writable."""
