"""The data sets Recollect knows, one `DatasetSpec` each.

Addresses, sizes and file checksums are the published ones; content checksums are ours, of decoded arrays.
"""

import difflib
from dataclasses import replace
from typing import Any

from recollect.datasets import official
from recollect.datasets.celeba import load_celeba, load_celeba_raw_attributes
from recollect.datasets.cern_zdc import PARTICLES, RESPONSES, load_cern_zdc
from recollect.datasets.cern_zdc_synthetic import load_cern_zdc_synthetic
from recollect.datasets.cifar import load_cifar10, load_cifar100
from recollect.datasets.digits import VIEWS, load_digits, load_digits_views
from recollect.datasets.errors import UnknownDataset
from recollect.datasets.mnist import load_fashion_mnist, load_mnist
from recollect.datasets.multimodal import MULTIMODAL
from recollect.datasets.omniglot import load_omniglot, load_omniglot_evaluation, load_omniglot_joined
from recollect.datasets.photos import PHOTOS
from recollect.datasets.spec import DatasetSpec, RemoteFile, packed_shape

_OMNIGLOT: dict[str, Any] = {
    "input_shape": (1, 28, 28),
    "how_to_get": "the two zip archives are at https://github.com/brendenlake/omniglot/tree/master/python",
    "licence": "MIT",
    "citation": "Lake, Salakhutdinov, Tenenbaum, Science 350 (2015)",
}
_CIFAR: dict[str, Any] = {
    "input_shape": (3, 32, 32),
    "how_to_get": "take the 'binary version' from https://www.cs.toronto.edu/~kriz/cifar.html",
    "licence": "none stated; the authors ask to cite the report",
    "citation": "Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009)",
}
_CELEBA: dict[str, Any] = {
    "n_classes": 10,
    "input_shape": (3, 64, 64),
    "files": official.CELEBA,
    "how_to_get": (
        "follow https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, accept its terms, and put "
        "img_align_celeba.zip (or the unpacked folder), list_attr_celeba.txt and list_eval_partition.txt "
        "into the folder celeba"
    ),
    "licence": "non-commercial research only, see the CelebA page",
    "citation": "Liu, Luo, Wang, Tang, Deep Learning Face Attributes in the Wild, ICCV (2015)",
}
_CERN: dict[str, Any] = {"n_classes": 10, "input_shape": (1, 44, 44), "dtype": "float32"}

MNIST = DatasetSpec(
    name="mnist",
    title="MNIST",
    n_classes=10,
    input_shape=(1, 28, 28),
    files=official.MNIST,
    load=load_mnist,
    how_to_get="the four idx .gz files of MNIST, for instance from its mirror at storage.googleapis.com",
    licence="none stated; published by its authors for free use in research",
    citation="LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86 (1998)",
    content_sha256="4c8c6258b9ab9162a99370c7176f17934ac13feb780494befda68fe87ffdf1d3",
    train_counts=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    test_counts=(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
)
FASHION_MNIST = DatasetSpec(
    name="fashion_mnist",
    title="FashionMNIST",
    n_classes=10,
    input_shape=(1, 28, 28),
    files=official.FASHION_MNIST,
    load=load_fashion_mnist,
    how_to_get="see https://github.com/zalandoresearch/fashion-mnist/tree/master/data/fashion",
    licence="MIT",
    citation="Xiao, Rasul, Vollgraf, arXiv 1708.07747 (2017)",
    content_sha256="1a5d07610b996e2a833f25eff4868e0bbe55d0a0daf1f8b11cd4fdcb3787e738",
    train_counts=(6000,) * 10,
    test_counts=(1000,) * 10,
)
OMNIGLOT = DatasetSpec(
    name="omniglot",
    title="Omniglot (background set)",
    n_classes=964,
    files=official.OMNIGLOT,
    load=load_omniglot,
    content_sha256="b2588902ce04be741c087105ca03a650a40ffdf1188539db0d400a04990a51e2",
    train_counts=(15,) * 964,
    test_counts=(5,) * 964,
    **_OMNIGLOT,
)
OMNIGLOT_JOINED = DatasetSpec(
    name="omniglot_joined",
    title="Omniglot (background set, all 20 drawers for training)",
    n_classes=964,
    files=official.OMNIGLOT,
    load=load_omniglot_joined,
    content_sha256="d7f457f15dbb789c6da7682d120bfd0b91b27e21a24565991cfd47077e516e18",
    train_counts=(20,) * 964,
    test_counts=(0,) * 964,
    **_OMNIGLOT,
)
OMNIGLOT_EVALUATION = DatasetSpec(
    name="omniglot_evaluation",
    title="Omniglot (evaluation set)",
    n_classes=659,
    files=official.OMNIGLOT_EVALUATION,
    load=load_omniglot_evaluation,
    content_sha256="ce0ce388c6e3c9e9da1c58a2c2dabbf2259587371a3e246137eb11f4ebf9c355",
    train_counts=(15,) * 659,
    test_counts=(5,) * 659,
    **_OMNIGLOT,
)
CIFAR10 = DatasetSpec(
    name="cifar10",
    title="CIFAR-10",
    n_classes=10,
    files=official.CIFAR10,
    load=load_cifar10,
    train_counts=(5000,) * 10,
    test_counts=(1000,) * 10,
    **_CIFAR,
)
CIFAR100 = DatasetSpec(
    name="cifar100",
    title="CIFAR-100 (fine labels)",
    n_classes=100,
    files=official.CIFAR100,
    load=load_cifar100,
    rows_sha256="cb8e83a53fdb301ed75a357bc37a99a55d7cf0ce1c872500b951af4af0c2e999",
    train_counts=(500,) * 100,
    test_counts=(100,) * 100,
    **_CIFAR,
)
CIFAR224 = replace(
    CIFAR100,
    name="cifar224",
    title="CIFAR-100 (fine labels), shown at 224 x 224",
    input_shape=(3, 224, 224),
    stored_shape=(3, 32, 32),
)
CELEBA = DatasetSpec(name="celeba", title="CelebA 64x64 (ten attribute conjunctions)", load=load_celeba, **_CELEBA)
CELEBA_RAW_ATTRIBUTES = DatasetSpec(
    name="celeba_raw_attributes",
    title="CelebA 64x64 (attribute columns 0..9 as classes)",
    load=load_celeba_raw_attributes,
    **_CELEBA,
)
DIGITS = DatasetSpec(
    name="digits",
    title="scikit-learn digits",
    n_classes=10,
    input_shape=(1, 8, 8),
    files=(),
    load=load_digits,
    how_to_get="it is part of scikit-learn",
    licence="CC BY 4.0 (UCI)",
    citation="Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI (1998)",
    content_sha256="a7a3f09a1abd5eda1d7852beeac917de740396254bc782194ebd3398b2fbb9f8",
    train_counts=(143, 146, 142, 147, 145, 146, 145, 144, 140, 144),
    test_counts=(35, 36, 35, 36, 36, 36, 36, 35, 34, 36),
)
DIGITS_VIEWS = replace(
    DIGITS,
    name="digits_views",
    title="scikit-learn digits, upper and lower half as two modalities",
    input_shape=packed_shape(VIEWS),
    modalities=VIEWS,
    load=load_digits_views,
    content_sha256="6dcb3a6e8d71904f5361071d1c0099ba1dc04f16b12b0ef266e977d65577d0be",
)
CERN_ZDC = DatasetSpec(
    name="cern_zdc",
    title="CERN ZDC neutron responses (ten energy deciles)",
    files=(RemoteFile(RESPONSES, ()), RemoteFile(PARTICLES, ())),
    load=load_cern_zdc,
    how_to_get=(
        "they are not public: they come from the ALICE zero degree calorimeter simulation of the authors of "
        "arXiv 2312.13699, ask them or the maintainers of https://github.com/KamilDeja/multiband_vae and "
        "https://github.com/m-wojnar/zdc; meanwhile the data set cern_zdc_synthetic, made up here, runs the "
        "whole path"
    ),
    licence="not public",
    citation="Deja, Cywinski, Rybarczyk, Trzcinski, arXiv 2312.13699 (2023); its data, from ALICE",
    **_CERN,
)
CERN_ZDC_SYNTHETIC = DatasetSpec(
    name="cern_zdc_synthetic",
    title="CERN ZDC, synthetic stand-in (ten energy deciles)",
    files=(),
    load=load_cern_zdc_synthetic,
    how_to_get="it is generated by recollect/datasets/cern_zdc_synthetic.py",
    licence="that of Recollect",
    citation="none: made up here, no measured or simulated data",
    content_sha256="fde78d46be4c5767ee5dc4c3be93169436851a14849727a272b08f325dfeea94",
    train_counts=(911, 890, 917, 882, 893, 926, 925, 857, 896, 903),
    test_counts=(289, 310, 283, 318, 307, 274, 275, 343, 304, 297),
    **_CERN,
)

DATASETS: dict[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        DIGITS,
        MNIST,
        FASHION_MNIST,
        OMNIGLOT,
        OMNIGLOT_JOINED,
        OMNIGLOT_EVALUATION,
        CIFAR10,
        CIFAR100,
        CIFAR224,
        *PHOTOS,
        CELEBA,
        CELEBA_RAW_ATTRIBUTES,
        CERN_ZDC,
        CERN_ZDC_SYNTHETIC,
        DIGITS_VIEWS,
        *MULTIMODAL,
    )
}


def get_spec(name: str) -> DatasetSpec:
    """Return the data set called `name`; raises UnknownDataset with close matches."""
    if name in DATASETS:
        return DATASETS[name]
    close = difflib.get_close_matches(name, DATASETS, n=1)
    hint = f", did you mean {close[0]}" if close else ""
    raise UnknownDataset(f"There is no data set {name!r}{hint}: choose one of {', '.join(DATASETS)}")
