"""Dark Experience Replay (DER, DER++), Buzzega et al. 2020, eq. 5 and 6.

    L = CE(x, y) + alpha * || o(x') - o' ||^2 + beta * CE(x'', y'')

x' and x'' are two independent draws from one reservoir that stores image, label and the logits o' the
model gave *while it was being trained on the sample*. The squared error is the mean over elements, as in
the authors' code. beta = 0 is DER. Logits are compared over the full fixed-width head.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import mse_loss

from recollect.engine.one_pass import in_one_pass
from recollect.engine.reservoir import Reservoir
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy


class DERpp(Strategy):
    """Replays logits, and with beta > 0 labels."""

    def __init__(
        self, *, buffer: Reservoir, alpha: float, beta: float, replay_batch_size: int, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.buffer, self.alpha, self.beta = buffer, alpha, beta
        self.replay_batch_size = replay_batch_size
        self.replayed: list[tuple[Tensor, ...]] = []

    def forward(self) -> Tensor:
        """Logits of the current batch; the replayed ones come from the same pass where none can tell."""
        self.replayed = []
        if not self.is_training or not len(self.buffer):
            return super().forward()
        draws = [self.buffer.draw(self.replay_batch_size) for _ in range(2 if self.beta else 1)]
        batches = [self.mb_x, *(draw[0] for draw in draws)]
        outputs = in_one_pass(self.model, batches)
        self.replayed = [(output, *draw) for output, draw in zip(outputs[1:], draws, strict=True)]
        return outputs[0]

    def training_loss(self) -> Tensor:
        """Equation 6."""
        loss = super().training_loss()
        if self.replayed:
            output, _, _, _, logits = self.replayed[0]
            loss = loss + self.alpha * mse_loss(output, logits)
        for output, _, y, task, _ in self.replayed[1:]:
            loss = loss + self.beta * self.classification_loss(output, y, task)
        self.buffer.add(self.mb_x, self.mb_y, self.mb_tasks, self.mb_output.detach())
        return loss

    def extra_state(self) -> dict[str, Any]:
        """The buffer."""
        return {"buffer": self.buffer.state_dict()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back the buffer."""
        self.buffer.load_state_dict(state["buffer"])


def build(
    *,
    setting: Setting,
    alpha: float = 0.2,
    beta: float = 0.5,
    buffer_size: int = 200,
    replay_batch_size: int = 32,
) -> Strategy:
    """DER++ (or DER) on the engine's strategy."""
    buffer = Reservoir(
        capacity=buffer_size, input_shape=setting.input_shape, n_logits=setting.n_classes, seed=setting.seed,
        device=setting.device, dtype=setting.kept_dtype,
    )  # fmt: skip
    return DERpp(buffer=buffer, alpha=alpha, beta=beta, replay_batch_size=replay_batch_size, **setting.arguments())
