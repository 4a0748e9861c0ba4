"""What Avalanche's import must not load, that all of it still works, and optimizers against torch's own."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from recollect.engine.optimizers import SGD, Adam

HEAVY = ("jax", "wandb", "torchmetrics", "torch._dynamo", "sympy", "qpsolvers", "gdown", "bs4")


def _fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_training_loads_no_heavy_module_and_they_import_as_usual_afterwards() -> None:
    """Engine, an update, a saved optimizer; then a metric that needs torchmetrics, wandb itself, the compiler."""
    printed = _fresh_process(
        "import sys, torch, recollect.engine.strategy\n"
        "from recollect.engine.seeding import use_deterministic_algorithms\n"
        "use_deterministic_algorithms(1)\n"
        "from recollect.engine.optimizers import Adam\n"
        "p = torch.nn.Parameter(torch.ones(2)); o = Adam([p]); p.grad = torch.ones(2)\n"
        "o.step(); o.zero_grad(); o.load_state_dict(o.state_dict())\n"
        f"print([m for m in {HEAVY} if m in sys.modules])\n"
        "from avalanche.evaluation.metrics.topk_acc import TopkAccuracy\n"
        "metric = TopkAccuracy(1)\n"
        "metric.update(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]), 0)\n"
        "print(metric.result()[0])\n"
        "from avalanche.evaluation.metrics import confusion_matrix\n"
        "print(confusion_matrix.wandb.plot.confusion_matrix.__module__)\n"
        "from avalanche.training.plugins import gem\n"
        "import numpy as np\n"
        "one = np.ones(2)\n"
        "solved = gem.qpsolvers.solve_qp(P=np.eye(2), q=-one, G=np.eye(2), h=one, solver='quadprog')\n"
        "print(solved.round(6).tolist())\n"
        "import wandb, torchmetrics.functional, torch._dynamo.utils as utils\n"
        "print(wandb.__file__ is not None, torchmetrics.__version__[0], utils.__file__ is not None)\n"
        "torch.optim.SGD([p], lr=0.1).step()\n"
    )
    assert printed.splitlines() == ["[]", "0.5", "wandb.plot.confusion_matrix", "[1.0, 1.0]", "True 1 True"]


def test_timm_loads_no_compiler_and_is_compiled_as_usual_afterwards() -> None:
    """What timm keeps from the compiler stays out of it: a graph break where it is called under torch.compile."""
    printed = _fresh_process(
        "import sys, torch\n"
        "from recollect.engine.lean_import import import_avalanche, import_timm\n"
        "import_avalanche(); import_timm(); import_timm()\n"
        "print([m for m in ('torch._dynamo', 'sympy') if m in sys.modules])\n"
        "import timm\n"
        "from timm.models import naflexvit\n"
        "vit = timm.create_model('vit_tiny_patch16_224', img_size=32, num_classes=3).eval()\n"
        "x = torch.rand(2, 3, 32, 32)\n"
        "with torch.no_grad():\n"
        "    same = torch.allclose(torch.compile(vit, backend='eager')(x), vit(x), atol=1e-5)\n"
        "print(same, torch.compiler.disable.__module__)\n"
    )
    assert printed.splitlines() == ["[]", "True torch.compiler"]


@pytest.mark.parametrize(
    ("own", "torchs", "settings"),
    [
        (Adam, torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1, "betas": (0.5, 0.9)}),
        (SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ],
)
def test_steps_are_torchs_bit_for_bit(own: type, torchs: type, settings: dict[str, float]) -> None:
    """The same gradients, five steps, with a closure too; hooks and learning-rate schedules work."""
    results = []
    for kind in (own, torchs):
        weight = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = kind([weight], **settings, **({} if kind is own else {"fused": True}))
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        calls: list[int] = []
        optimizer.register_step_post_hook(lambda *_, calls=calls: calls.append(1))
        for step in range(5):
            weight.grad = torch.sin(weight.detach() * (step + 1))
            optimizer.step()
            schedule.step()

        def closure(weight: Any = weight, optimizer: Any = optimizer) -> torch.Tensor:
            optimizer.zero_grad()
            loss = (weight**2).sum()
            loss.backward()
            return loss

        assert float(optimizer.step(closure)) > 0
        assert len(calls) == 6
        results.append((weight.detach(), [p.get("step", 0) for p in optimizer.state.values()]))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


def test_a_user_may_ask_for_another_kernel() -> None:
    """``fused`` is a default, not a law."""
    assert Adam([torch.nn.Parameter(torch.ones(1))], fused=False).defaults["fused"] is False
