"""What can go wrong with feature extractors."""

from recollect.errors import RecollectError


class ExtractorError(RecollectError):
    """Weights that are missing or not the published ones, or images that an extractor cannot take.

    Its text is one sentence on what, where and what to do.
    """
