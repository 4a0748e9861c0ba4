"""What every metric on features refuses, and that importing the metrics is cheap."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.features import feature_pair
from recollect.metrics.generative.frechet import frechet_distance, frechet_distance_scipy
from recollect.metrics.generative.kid import kernel_distance
from recollect.metrics.generative.knn import knn_precision_recall
from recollect.metrics.generative.prd import prd_precision_recall

ROOT = Path(__file__).parents[2]
GOOD = np.random.default_rng(0).normal(size=(40, 3))
METRICS = {
    "frechet": frechet_distance,
    "frechet_scipy": frechet_distance_scipy,
    "kid": lambda ours, real: kernel_distance(ours, real, seed=0),
    "knn": knn_precision_recall,
    "prd": lambda ours, real: prd_precision_recall(ours, real, seed=0),
}


def spoiled(value):
    features = GOOD.copy()
    features[[3, 7], 1] = value
    return features


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (GOOD.ravel(), r"features of shape \(120,\): give an array of shape \(samples, features\)"),
        (GOOD[:, :0], r"features of shape \(40, 0\): give an array of shape \(samples, features\)"),
        (GOOD[:0], "0 {side} samples: the metric needs at least"),
        (
            spoiled(np.nan),
            "2 of 40 {side} samples have features that are not finite: the generator or",
        ),
        (spoiled(-np.inf), "2 of 40 {side} samples have features that are not finite"),
        (spoiled(1e160), "2 of 40 {side} samples have features that are not finite"),
    ],
    ids=["1-D", "no features", "no samples", "nan", "inf", "overflow"],
)
def test_every_metric_refuses_what_is_no_feature_set(metric, bad, message):
    with pytest.raises(MetricError, match=message.format(side="generated")):
        metric(bad, GOOD)
    with pytest.raises(MetricError, match=message.format(side="reference")):
        metric(GOOD, bad)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_refuses_two_extractors(metric):
    with pytest.raises(MetricError, match="3 generated and 2 reference features: different extractors"):
        metric(GOOD, GOOD[:, :2])


def test_features_become_float64_and_keep_their_side():
    ours, real = feature_pair(GOOD.astype(np.float32), GOOD[:5], at_least=5)
    assert ours.dtype == real.dtype == np.float64
    assert (len(ours), len(real)) == (40, 5)
    with pytest.raises(MetricError, match="5 reference samples: the metric needs at least 6, give more"):
        feature_pair(GOOD, GOOD[:5], at_least=6)


def test_float32_extremes_are_still_features():
    ours, _ = feature_pair(np.full((2, 1), np.finfo(np.float32).max), np.ones((2, 1)), at_least=2)
    assert np.isfinite(ours).all()


def test_importing_the_metrics_loads_no_heavy_library():
    modules = ("features", "frechet", "kid", "knn", "prd", "wasserstein")
    imports = ", ".join(f"recollect.metrics.generative.{name}" for name in modules)
    heavy = "{'torch', 'torch_fidelity', 'sklearn', 'scipy'}"
    code = f"import sys, {imports}; loaded = {heavy} & set(sys.modules); assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
