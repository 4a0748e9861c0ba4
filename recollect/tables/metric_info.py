"""What each metric is called, in which unit it is shown, and how it is defined (contract 4).

Notation: R[t,i] is the accuracy on task i after training task t, both counted from 1 to T.
Accuracies are fractions in the data and are shown in percent.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from recollect.errors import RecollectError
from recollect.tables.suggest import did_you_mean

Unit = Literal["%", "s", "h", "MB", "bytes", "count", "it/s", "photons", "log photons", ""]


@dataclass(frozen=True)
class MetricInfo:
    """One metric.

    `scale` times a value of the data gives the number shown, in `unit`, with `decimals` digits.
    """

    name: str
    label: str
    unit: Unit
    direction: Literal["up", "down"]
    decimals: int
    scale: float
    definition: str

    @property
    def measured(self) -> bool:
        """Whether a clock or a memory meter gives it, so that it differs from one run to the next of the same."""
        return self.unit in ("s", "h", "MB", "it/s")

    @property
    def data_unit(self) -> str:
        """Unit of the unscaled data."""
        return "fraction" if self.unit == "%" else self.unit

    @property
    def heading(self) -> str:
        """Label with unit and an arrow to the better side."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.label}{unit} {'↑' if self.direction == 'up' else '↓'}"

    def show(self, value: float, *, sign: bool = False) -> str:
        """Format a value of the data for a table; negative zero is written as zero."""
        text = format(value * self.scale, f"{'+' if sign else ''}.{self.decimals}f")
        if not any(digit in text for digit in "123456789"):
            return text.lstrip("+-")
        return text


def _accuracy(name: str, label: str, direction: Literal["up", "down"], definition: str) -> MetricInfo:
    return MetricInfo(name, label, "%", direction, 2, 100.0, definition)


_ALL = (
    _accuracy(
        "avg_acc_unweighted",
        "Accuracy",
        "up",
        "final average accuracy, every task counting the same: mean over i = 1..T of R[T,i].",
    ),
    _accuracy(
        "avg_acc_weighted",
        "Weighted accuracy",
        "up",
        "final average accuracy, every test sample counting the same: sum over i of n_i R[T,i] / sum over i"
        " of n_i, with n_i the test samples of task i.",
    ),
    _accuracy(
        "avg_inc_acc",
        "Incremental accuracy",
        "up",
        "average incremental accuracy: mean over t = 1..T of A_t, with A_t the mean over i = 1..t of R[t,i].",
    ),
    _accuracy(
        "avg_inc_acc_unweighted",
        "Incremental accuracy",
        "up",
        "average incremental accuracy, every task counting the same: mean over t = 1..T of A_t, with A_t the"
        " mean over i = 1..t of R[t,i].",
    ),
    _accuracy(
        "avg_inc_acc_weighted",
        "Weighted incremental accuracy",
        "up",
        "average incremental accuracy, every test sample counting the same: mean over t = 1..T of A_t, with"
        " A_t the sum over i = 1..t of n_i R[t,i] / sum over i = 1..t of n_i, n_i its test samples.",
    ),
    _accuracy(
        "forgetting_max",
        "Forgetting (max)",
        "down",
        "best minus final: mean over i = 1..T-1 of (max over t = i..T of R[t,i]) - R[T,i].",
    ),
    _accuracy(
        "forgetting_range",
        "Forgetting (range)",
        "down",
        "how unevenly tasks are forgotten: largest minus smallest over i = 1..T-1 of (max over t = i..T of R[t,i])"
        " - R[T,i].",
    ),
    _accuracy(
        "forgetting_initial",
        "Forgetting (initial)",
        "down",
        "just learnt minus final: mean over i = 1..T-1 of R[i,i] - R[T,i].",
    ),
    _accuracy(
        "forgetting_chaudhry",
        "Forgetting (Chaudhry)",
        "down",
        "best before the last task minus final (Chaudhry et al. 2018): mean over i = 1..T-1 of"
        " (max over t = 1..T-1 of R[t,i]) - R[T,i].",
    ),
    _accuracy(
        "bwt",
        "Backward transfer",
        "up",
        "backward transfer (Lopez-Paz & Ranzato 2017): mean over i = 1..T-1 of R[T,i] - R[i,i].",
    ),
    _accuracy(
        "fwt",
        "Forward transfer",
        "up",
        "forward transfer (Lopez-Paz & Ranzato 2017): mean over i = 2..T of R[i-1,i] - b_i, with b_i the"
        " accuracy on task i of the untrained network.",
    ),
    MetricInfo("wall_s", "Wall time", "s", "down", 1, 1.0, "elapsed seconds of one run, all tasks together."),
    MetricInfo("device_s", "Device time", "s", "down", 1, 1.0, "seconds the compute device was busy in one run."),
    MetricInfo(
        "device_h",
        "Device-hours",
        "h",
        "down",
        3,
        1.0,
        "hours the compute device was busy in one run: GPU-hours on a GPU, else processor hours.",
    ),
    MetricInfo("local_s", "Local phase", "s", "down", 1, 1.0, "elapsed seconds of training on single tasks."),
    MetricInfo(
        "inversion_s", "Noise inversion", "s", "down", 1, 1.0, "elapsed seconds of searching noise for images."
    ),
    MetricInfo("global_s", "Global phase", "s", "down", 1, 1.0, "elapsed seconds of training the global model."),
    MetricInfo(
        "evaluate_s", "Evaluation", "s", "down", 1, 1.0, "elapsed seconds of evaluating one run after all tasks."
    ),
    MetricInfo(
        "vram_mb", "GPU memory", "MB", "down", 0, 1.0, "peak memory allocated on the accelerator in one run."
    ),
    MetricInfo("ram_mb", "Memory", "MB", "down", 0, 1.0, "peak resident memory of the process in one run."),
    MetricInfo(
        "carried_bytes",
        "Carried",
        "bytes",
        "down",
        0,
        1.0,
        "bytes carried from one task to the next: stored weights, exemplars, logits and statistics.",
    ),
    MetricInfo("parameters", "Parameters", "count", "down", 0, 1.0, "trained parameters of the model."),
    MetricInfo(
        "parameters_added",
        "Added per task",
        "count",
        "down",
        0,
        1.0,
        "parameters that the model gained, mean over tasks; those of the first task are no gain.",
    ),
    MetricInfo(
        "silhouette",
        "Silhouette",
        "",
        "up",
        3,
        1.0,
        "silhouette (Rousseeuw 1987) of the modalities as clusters of unimodal representations of all test samples"
        " after the last task, unit vectors, Euclidean; 1: far apart, 0: mixed.",
    ),
    MetricInfo(
        "routing_agreement",
        "Routing agreement",
        "%",
        "up",
        1,
        100.0,
        "share of test samples of earlier tasks that go to the same experts after a task as before it; mean over "
        "tasks"
        " from the second on and blocks.",
    ),
    MetricInfo("it_per_s", "Speed", "it/s", "up", 1, 1.0, "training iterations / training seconds of one run."),
)

METRICS = MappingProxyType({info.name: info for info in _ALL})

_SAMPLES = (
    MetricInfo(
        "fid", "FID", "", "down", 2, 1.0,
        "Fréchet distance of Gaussians fitted to features of samples and of evaluation images, as many of each;"
        " mean over tasks after the last one.",
    ),
    MetricInfo(
        "fid_just_learned", "FID when learned", "", "down", 2, 1.0,
        "mean over i = 1..T of the FID of task i right after it was learned.",
    ),
    MetricInfo(
        "fid_change", "FID change", "", "down", 2, 1.0,
        "backward transfer in FID: mean over i = 1..T-1 of FID after the last task minus FID right after task i;"
        " below zero, early tasks have improved.",
    ),
    MetricInfo(
        "precision", "Precision", "%", "up", 1, 100.0,
        "PRD precision (Sajjadi et al. 2018), max F_1/8 of samples against evaluation images, 20 clusters, mean"
        " of 10 runs; mean over tasks after the last one.",
    ),
    MetricInfo(
        "recall", "Recall", "%", "up", 1, 100.0,
        "PRD recall (Sajjadi et al. 2018), max F_8 of samples against evaluation images, 20 clusters, mean of 10"
        " runs; mean over tasks after the last one.",
    ),
    MetricInfo(
        "knn_precision", "k-NN precision", "%", "up", 1, 100.0,
        "share of samples within the k-nearest-neighbour manifold of the images, k = 3 (Kynkäänniemi et al."
        " 2019); mean over tasks after the last one.",
    ),
    MetricInfo(
        "knn_recall", "k-NN recall", "%", "up", 1, 100.0,
        "share of images within the k-nearest-neighbour manifold of the samples, k = 3 (Kynkäänniemi et al."
        " 2019); mean over tasks after the last one.",
    ),
    MetricInfo(
        "kid", "KID", "", "down", 3, 1.0,
        "squared maximum mean discrepancy with a cubic kernel (Bińkowski et al. 2018), unbiased; mean over tasks"
        " after the last one.",
    ),
)  # fmt: skip


def _over_time(name: str, label: str, unit: Unit, definition: str) -> list[MetricInfo]:
    """A distance after the last task, when each task was learned, and the change in between."""
    return [
        MetricInfo(name, label, unit, "down", 2, 1.0, f"{definition}; mean over tasks after the last one."),
        MetricInfo(
            f"{name}_just_learned", f"{label} when learned", unit, "down", 2, 1.0,
            f"{definition}; mean over i = 1..T of task i right after it was learned.",
        ),
        MetricInfo(
            f"{name}_change", f"{label} change", unit, "down", 2, 1.0,
            f"{definition}; mean over i = 1..T-1 of after the last task minus right after task i, below zero for"
            " early tasks that have improved.",
        ),
    ]  # fmt: skip


_CHANNELS = (
    *_over_time(
        "w1_log_pooled", "W1 pooled", "log photons",
        "Wasserstein-1 distance of the five ZDC channels' sums of log(1 + photons), all channels pooled, as the"
        " Adapt & Align authors compute it",
    ),
    *_over_time(
        "w1_channels", "W1 channels", "photons",
        "Wasserstein-1 distance of the photons in each of the five ZDC channels, mean over the channels",
    ),
)  # fmt: skip

_ROBUSTNESS = (
    _accuracy(
        "corruption_acc", "Accuracy, corrupted", "up",
        "accuracy on corrupted test images, over all classes after the last task: mean over corruptions of the"
        " mean over severities 1..5.",
    ),
    _accuracy(
        "mce", "mCE", "down",
        "mean corruption error: mean over corruptions of the error summed over severities, divided by the same sum"
        " of the reference model if the suite names one, else by the number of severities; notes at the values"
        " say which.",
    ),
    _accuracy(
        "perturbation_acc", "Accuracy, perturbed", "up",
        "accuracy on all frames of perturbation sequences after the last task, mean over perturbations.",
    ),
    _accuracy(
        "flip_rate", "Flip rate", "down",
        "mean flip rate: changes of the answer between consecutive frames / (frames - 1), mean over sequences and"
        " perturbations, without normalisation.",
    ),
    _accuracy(
        "overall_robustness", "Overall robustness", "up",
        "mean of the accuracy on corrupted images and the accuracy on frames of perturbation sequences.",
    ),
)  # fmt: skip

ROBUSTNESS_METRICS = MappingProxyType({info.name: info for info in _ROBUSTNESS})
"""Metrics of stored classifiers on corrupted images; their names end in ``@<robustness set>``."""

_BY_FEATURES = {"features": _SAMPLES, "channels": _CHANNELS}

SAMPLE_METRICS = MappingProxyType({info.name: info for infos in _BY_FEATURES.values() for info in infos})
"""Metrics of generated samples. In data and declarations their names end in ``@<extractor>``: values that were
computed with different features are different metrics and never share a column."""


def sample_metrics(measured: str) -> list[str]:
    """Names in :data:`SAMPLE_METRICS` that exist for extractors of ``features`` or of ``channels``."""
    return [info.name for info in _BY_FEATURES[measured]]


def metric_info(name: str) -> MetricInfo:
    """Look a metric up.

    Raises:
        RecollectError: the metric is unknown, or one of samples names no extractor; close matches are named.
    """
    if name in METRICS:
        return METRICS[name]
    base, _, extractor = name.partition("@")
    if base in SAMPLE_METRICS and extractor:
        info = SAMPLE_METRICS[base]
        definition = f"{info.definition[:-1]}; features of {extractor}."
        return replace(info, name=name, definition=definition)
    if base in ROBUSTNESS_METRICS and extractor:
        info = ROBUSTNESS_METRICS[base]
        return replace(info, name=name, definition=f"{info.definition[:-1]}; images of {extractor}.")
    if base in ROBUSTNESS_METRICS:
        raise RecollectError(f"metric '{name}' needs its robustness set: write {name}@<set>.")
    if base in SAMPLE_METRICS:
        raise RecollectError(f"metric '{name}' needs its feature extractor: write {name}@<extractor>.")
    raise RecollectError(f"unknown metric '{name}'.{did_you_mean(name, METRICS)}")
