"""The engine: training loop, ready batches, checkpoints, predictions. Knows Avalanche; knows no method."""

from recollect.engine.lean_import import import_avalanche

import_avalanche()
