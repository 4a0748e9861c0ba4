"""The data sets Recollect knows, one `DatasetSpec` each.

Addresses, sizes and file checksums are the published ones; content checksums are ours, of decoded arrays.
"""

import difflib
from typing import Any

from recollect.datasets.celeba import load_celeba, load_celeba_raw_attributes
from recollect.datasets.cifar import load_cifar10, load_cifar100
from recollect.datasets.digits import load_digits
from recollect.datasets.errors import UnknownDataset
from recollect.datasets.mnist import load_fashion_mnist, load_mnist
from recollect.datasets.omniglot import load_omniglot, load_omniglot_evaluation
from recollect.datasets.spec import DatasetSpec, RemoteFile


def _file(path: str, bases: tuple[str, ...], size_bytes: int, md5: str, sha256: str) -> RemoteFile:
    name = path.rpartition("/")[2]
    return RemoteFile(path, tuple(base + name for base in bases), sha256=sha256, md5=md5, size_bytes=size_bytes)


_MNIST_BASES = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_FASHION_BASES = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
_OMNIGLOT_BASES = (
    "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/",
    "https://github.com/brendenlake/omniglot/raw/master/python/",
)
_CIFAR_BASES = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")

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
    "files": (
        RemoteFile(
            "celeba/img_align_celeba.zip",
            (),
            sha256="46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74",
            md5="00d2c5bc6d35e252742224ab0c1e8fcb",
            size_bytes=1443490838,
        ),
        RemoteFile(
            "celeba/list_attr_celeba.txt",
            (),
            sha256="f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
            md5="75e246fa4810816ffd6ee81facbd244c",
            size_bytes=26721026,
        ),
        RemoteFile(
            "celeba/list_eval_partition.txt",
            (),
            sha256="fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7",
            md5="d32c9cbf5e040fd4025c592c306e6668",
            size_bytes=2836386,
        ),
    ),
    "how_to_get": (
        "follow https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, accept its terms, and put "
        "img_align_celeba.zip (or the unpacked folder), list_attr_celeba.txt and list_eval_partition.txt "
        "into the folder celeba"
    ),
    "licence": "non-commercial research only, see the CelebA page",
    "citation": "Liu, Luo, Wang, Tang, Deep Learning Face Attributes in the Wild, ICCV (2015)",
}

MNIST = DatasetSpec(
    name="mnist",
    title="MNIST",
    n_classes=10,
    input_shape=(1, 28, 28),
    files=(
        _file(
            "mnist/train-images-idx3-ubyte.gz",
            _MNIST_BASES,
            9912422,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        _file(
            "mnist/train-labels-idx1-ubyte.gz",
            _MNIST_BASES,
            28881,
            "d53e105ee54ea40749a09fcbcd1e9432",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        _file(
            "mnist/t10k-images-idx3-ubyte.gz",
            _MNIST_BASES,
            1648877,
            "9fb629c4189551a2d022fa330f9573f3",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        _file(
            "mnist/t10k-labels-idx1-ubyte.gz",
            _MNIST_BASES,
            4542,
            "ec29112dd5afa0611ce80d1b7f02629c",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
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
    files=(
        _file(
            "fashion_mnist/train-images-idx3-ubyte.gz",
            _FASHION_BASES,
            26421880,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        _file(
            "fashion_mnist/train-labels-idx1-ubyte.gz",
            _FASHION_BASES,
            29515,
            "25c81989df183df01b3e8a0aad5dffbe",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        _file(
            "fashion_mnist/t10k-images-idx3-ubyte.gz",
            _FASHION_BASES,
            4422102,
            "bef4ecab320f06d8554ea6380940ec79",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        _file(
            "fashion_mnist/t10k-labels-idx1-ubyte.gz",
            _FASHION_BASES,
            5148,
            "bb300cfdad3c16e7a12a480ee83cd310",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
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
    files=(
        _file(
            "omniglot/images_background.zip",
            _OMNIGLOT_BASES,
            9464212,
            "68d2efa1b9178cc56df9314c21c6e718",
            "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
        ),
    ),
    load=load_omniglot,
    content_sha256="b2588902ce04be741c087105ca03a650a40ffdf1188539db0d400a04990a51e2",
    train_counts=(15,) * 964,
    test_counts=(5,) * 964,
    **_OMNIGLOT,
)
OMNIGLOT_EVALUATION = DatasetSpec(
    name="omniglot_evaluation",
    title="Omniglot (evaluation set)",
    n_classes=659,
    files=(
        _file(
            "omniglot/images_evaluation.zip",
            _OMNIGLOT_BASES,
            6462886,
            "6b91aef0f799c5bb55b94e3f2daec811",
            "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
        ),
    ),
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
    files=(
        _file(
            "cifar-10-binary.tar.gz",
            _CIFAR_BASES,
            170052171,
            "c32a1d4ab5d03f1284b67883e8d87530",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    load=load_cifar10,
    train_counts=(5000,) * 10,
    test_counts=(1000,) * 10,
    **_CIFAR,
)
CIFAR100 = DatasetSpec(
    name="cifar100",
    title="CIFAR-100 (fine labels)",
    n_classes=100,
    files=(
        _file(
            "cifar-100-binary.tar.gz",
            _CIFAR_BASES,
            168513733,
            "03b5dce01913d631647c71ecec9e9cb8",
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
    ),
    load=load_cifar100,
    rows_sha256="cb8e83a53fdb301ed75a357bc37a99a55d7cf0ce1c872500b951af4af0c2e999",
    train_counts=(500,) * 100,
    test_counts=(100,) * 100,
    **_CIFAR,
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

DATASETS: dict[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        DIGITS,
        MNIST,
        FASHION_MNIST,
        OMNIGLOT,
        OMNIGLOT_EVALUATION,
        CIFAR10,
        CIFAR100,
        CELEBA,
        CELEBA_RAW_ATTRIBUTES,
    )
}


def get_spec(name: str) -> DatasetSpec:
    """Return the data set called `name`; raises UnknownDataset with close matches."""
    if name in DATASETS:
        return DATASETS[name]
    close = difflib.get_close_matches(name, DATASETS, n=1)
    hint = f", did you mean {close[0]}" if close else ""
    raise UnknownDataset(f"There is no data set {name!r}{hint}: choose one of {', '.join(DATASETS)}")
