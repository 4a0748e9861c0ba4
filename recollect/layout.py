"""Where the parts of the repository lie that planning reads without importing them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
METHOD_FOLDERS = ("methods", "baselines")
SETTINGS_FILE = ROOT / "recollect" / "engine" / "settings.py"
MODEL_MODULES = {"mm_encoder": "recollect.multimodal.building"}
"""Models that are no plain classifiers, by the name in the training settings: the module that makes them."""
