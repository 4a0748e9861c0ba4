"""Recollect: a benchmark and reproducibility harness for continual learning.

Importing this package is cheap on purpose: torch, Avalanche, MLflow and matplotlib are imported
by the step that needs them, never here.
"""

__version__ = "0.1.0"
