"""What a classifier needs to answer: its tensors, stored once after the last task, and put back for evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from recollect.errors import RecollectError
from recollect.files import sha256_file, write_bytes

FILE = "model.safetensors"


def check_storable(strategy: Any) -> None:
    """Refuse, before training, a method whose stored network would not answer as it does.

    Raises:
        RecollectError: it answers from more than its network and does not say what.
    """
    lineage = type(strategy).__mro__
    scores, stores = ([c for c in lineage if name in vars(c)][:1] for name in ("scores", "stored_model"))
    if scores and stores and lineage.index(scores[0]) < lineage.index(stores[0]):
        raise RecollectError(
            f"{scores[0].__module__}: {scores[0].__name__} answers from more than its network: give it "
            "stored_model and load_stored_model, or take store_model from the scenario"
        )


def model_tensors(strategy: Any) -> dict[str, Tensor]:
    """What to store: ``stored_model()`` of ours, else the network of an Avalanche strategy."""
    own = getattr(strategy, "stored_model", None)
    return dict(strategy.model.state_dict()) if own is None else own()


def save_model(folder: Path, tensors: dict[str, Tensor]) -> str:
    """Write the model of a run atomically; returns its SHA-256."""
    from safetensors.torch import save

    # Cloned: safetensors refuses tensors that share memory, as tied weights do.
    content = save({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()})
    write_bytes(folder / FILE, content)
    return sha256_file(folder / FILE)


def forget_model(folder: Path) -> None:
    """A run starts from its beginning: what another one left is gone."""
    (folder / FILE).unlink(missing_ok=True)


def restore_model(strategy: Any, folder: Path, sha256: str, redo: str) -> None:
    """Put the stored model of a run into a strategy built for it.

    Raises:
        RecollectError: the file is missing, not the one of the run, or does not fit the strategy.
    """
    from safetensors.torch import load

    path = folder / FILE
    if not path.is_file() or sha256_file(path) != sha256:
        raise RecollectError(f"{path} is missing or not the one of this run: {redo}")
    tensors = load(path.read_bytes())
    try:
        own = getattr(strategy, "load_stored_model", None)
        strategy.model.load_state_dict(tensors) if own is None else own(tensors)
    except (RuntimeError, KeyError) as error:
        raise RecollectError(f"{path} does not fit its method ({' '.join(str(error).split())}): {redo}") from None
