"""The feature extractors Recollect knows, one `ExtractorSpec` each.

Addresses, sizes and file checksums are those of the published files; `weights_sha256` is ours, of the tensors.
"""

from __future__ import annotations

import difflib
from typing import Any

from recollect.datasets.spec import RemoteFile
from recollect.extractors.errors import ExtractorError
from recollect.extractors.spec import ExtractorSpec, Training

_RAW = "https://raw.githubusercontent.com/"
_MULTIBAND = (
    f"{_RAW}KamilDeja/multiband_vae/fafaf64d099ddf91e3dc441e5ce6f6fc6e4cf883/vae_experiments/evaluation_models/"
)
_RESNET = f"{_RAW}akamaster/pytorch_resnet_cifar10/66514ca38d5679354766dee91e912d8766bdd227/pretrained_models/"


def _lenet(id: str, file: str, title: str, size_bytes: int, sha256: str, **rest: Any) -> ExtractorSpec:
    remote = RemoteFile(f"weights/{file}", (_MULTIBAND + file,), sha256=sha256, size_bytes=size_bytes)
    return ExtractorSpec(
        id=id,
        title=title,
        input_shape=(1, 28, 28),
        files=(remote,),
        licence="MIT",
        citation="Deja, Wawrzynski, Masarczyk, Marczak, Trzcinski, Multiband VAE, IJCAI (2022)",
        **rest,
    )


LENET_MNIST = _lenet(
    "lenet_mnist",
    "lenet_MNIST",
    "LeNet-5 of the published FIDs on MNIST",
    179242,
    "26627bca2e5c378eee792d0165c3c4dcd4b6b1d351ca6b30d3ac0920fa796373",
    network="lenet5",
    n_outputs=10,
    feature_dim=84,
    weights_sha256="63f0922fed0a1f79b704a1b7c7f15db1e936fd4d902f69f7107c6ff747a6db59",
)
LENET_FASHION_MNIST = _lenet(
    "lenet_fashion_mnist",
    "lenet_FashionMNIST",
    "LeNet-5 on FashionMNIST (published FIDs use Inception)",
    181069,
    "4e44b6c030814283c6f32e74cb32378a00325e7bc594758c82e0e887ff318f20",
    network="lenet5",
    n_outputs=10,
    feature_dim=84,
    weights_sha256="c3a5582a144894bde8badc325cd0615cfbaa6cccc9b88bf1dd3e3956ee12310f",
)
LENET_OMNIGLOT = _lenet(
    "lenet_omniglot",
    "lenet_Omniglot",
    "Conv net of the published FIDs on Omniglot, trained on EMNIST by its authors",
    731805,
    "aff40ca8fe36a9681444bf72ebc6ce12c837079c7e0b2de991230206b379b5e8",
    network="character_net",
    n_outputs=47,
    feature_dim=128,
    weights_sha256="cc38c382ac7fcd8e620af5420543138d2e546cffe98e77dc4245b11095547116",
)
LENET_DOUBLE_MNIST = _lenet(
    "lenet_double_mnist",
    "lenet_DoubleMNIST",
    "Conv net on FashionMNIST and MNIST together (published FIDs use Inception)",
    717815,
    "da36c32948425db2e540bc8da6bd5be3ccd2c4174f9ec72056b4434663578f0d",
    network="character_net",
    n_outputs=20,
    feature_dim=128,
    weights_sha256="9b76481f9f9698bf317fb0c420cebff0f96cf36e99652fd30dbc13b0b128aaa5",
)
RESNET20_CIFAR10 = ExtractorSpec(
    id="resnet20_cifar10",
    title="ResNet-20 on CIFAR-10: orders methods, not comparable with published Inception FIDs",
    network="resnet20",
    n_outputs=10,
    feature_dim=64,
    input_shape=(3, 32, 32),
    files=(
        # The same tensors twice: as plain arrays, and the checkpoint in which its author published them.
        RemoteFile(
            "weights/resnet20_cifar10.npz",
            (),
            sha256="ae55ce549d90098bb944a08447b865e43227107e5f982c92c69bfaeff42f9925",
            size_bytes=1027081,
        ),
        RemoteFile(
            "weights/resnet20-12fca82f.th",
            (f"{_RESNET}resnet20-12fca82f.th",),
            sha256="12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
        ),
    ),
    weights_sha256="fda6040cb484994c57727b181144aa73d816199c9b2f3682afad5b4a54678f5a",
    licence="BSD-2-Clause",
    citation="Idelbayev, Proper ResNet Implementation for CIFAR10/CIFAR100 in PyTorch (2018)",
)
CNN_DIGITS = ExtractorSpec(
    id="cnn_digits",
    title="Small CNN on the embedded digits: orders methods, no published FID to compare with",
    network="small_cnn",
    n_outputs=10,
    # Well below the 70 test images of a task, or their covariance would be singular.
    feature_dim=16,
    input_shape=(1, 8, 8),
    training=Training(dataset="digits"),
    licence="made here",
    citation="none",
)
ZDC_CHANNELS = ExtractorSpec(
    id="zdc_channels",
    title="Sums of the five ZDC channels, of log(1 + photons) and of photons: for Wasserstein distances, no FID",
    network="zdc_channels",
    n_outputs=0,
    feature_dim=10,
    input_shape=(1, 44, 44),
    weights_sha256="09e2627face8657337c4242a2cbfe81986fb7847b98cb20319da261f9e50f5ad",
    value_range=None,
    measured="channels",
    licence="made here",
    citation="channels as in github m-wojnar/zdc, zdc/utils/wasserstein.py",
)
INCEPTION = ExtractorSpec(
    id="inception",
    title="Inception-v3 pool3, the usual FID",
    network="inception",
    n_outputs=1008,
    feature_dim=2048,
    input_shape=None,
    files=(
        RemoteFile(
            "weights/weights-inception-2015-12-05-6726825d.pth",
            (
                "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
                "weights-inception-2015-12-05-6726825d.pth",
                "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
                "pt_inception-2015-12-05-6726825d.pth",
            ),
            sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            size_bytes=95628359,
        ),
    ),
    licence="Apache-2.0",
    citation="Szegedy et al., CVPR (2016); Heusel et al., NeurIPS (2017); Obukhov et al., torch-fidelity (2020)",
)

EXTRACTORS: dict[str, ExtractorSpec] = {
    spec.id: spec
    for spec in (
        LENET_MNIST,
        LENET_FASHION_MNIST,
        LENET_OMNIGLOT,
        LENET_DOUBLE_MNIST,
        RESNET20_CIFAR10,
        CNN_DIGITS,
        ZDC_CHANNELS,
        INCEPTION,
    )
}


def get_extractor_spec(id: str) -> ExtractorSpec:
    """Return the extractor called `id`; raises ExtractorError with a close match."""
    if id in EXTRACTORS:
        return EXTRACTORS[id]
    close = difflib.get_close_matches(id, EXTRACTORS, n=1)
    hint = f", did you mean {close[0]}" if close else ""
    raise ExtractorError(f"there is no extractor {id!r}{hint}: choose one of {', '.join(EXTRACTORS)}")
