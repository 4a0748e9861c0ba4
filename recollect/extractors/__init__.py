"""Feature extractors for FID, precision and recall: published networks by checksum, and one trained here."""

from recollect.extractors.errors import ExtractorError
from recollect.extractors.registry import EXTRACTORS, get_extractor_spec
from recollect.extractors.spec import ExtractorSpec, Training

__all__ = ["EXTRACTORS", "ExtractorError", "ExtractorSpec", "Training", "get_extractor_spec"]
