"""The columns of the tidy frame of a table."""

import math
from collections.abc import Mapping
from typing import Any

NAN = math.nan

# Column and the value it has until something is computed for the cell; the order is the frame's.
DEFAULTS: Mapping[str, Any] = {
    "table": "",
    "scenario": "",
    "method": "",
    "label": "",
    "metric": "",
    "unit": "",
    "direction": "",
    "status": "",
    "reason": "",
    "n_seeds": 0,
    "n_expected": 0,
    "seeds": None,
    "values": None,
    "mean": NAN,
    "ci_low": NAN,
    "ci_high": NAN,
    "std": NAN,
    "published": NAN,
    "published_std": NAN,
    "published_as": "",
    "published_source": "",
    "published_note": "",
    "differs": "",
    "difference": NAN,
    "agreement": NAN,
    "verdict": "",
    "verdict_note": "",
    "verdict_kind": "",
    "p_tost": NAN,
    "reference": "",
    "n_pairs": 0,
    "diff_ref": NAN,
    "diff_ref_low": NAN,
    "diff_ref_high": NAN,
    "p_t": NAN,
    "p_holm": NAN,
    "effect": NAN,
    "paired_note": "",
    "confidence": NAN,
    "n_resamples": 0,
    "bootstrap_seed": 0,
}
COLUMNS = tuple(DEFAULTS)

Row = dict[str, Any]
