"""Statistics over seeds: intervals, paired comparisons, multiplicity. Pure functions on arrays."""

from recollect.stats.bootstrap import MeanInterval, derive_seed, mean_interval, mean_interval_rows
from recollect.stats.holm import holm
from recollect.stats.paired import PairedComparison, compare_paired, compare_paired_rows, hedges_factor

__all__ = [
    "MeanInterval",
    "PairedComparison",
    "compare_paired",
    "compare_paired_rows",
    "derive_seed",
    "hedges_factor",
    "holm",
    "mean_interval",
    "mean_interval_rows",
]
