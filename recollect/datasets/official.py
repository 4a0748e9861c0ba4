"""The official files: addresses, sizes and checksums as published."""

from recollect.datasets.spec import RemoteFile


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

MNIST = (
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
)
FASHION_MNIST = (
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
)
OMNIGLOT = (
    _file(
        "omniglot/images_background.zip",
        _OMNIGLOT_BASES,
        9464212,
        "68d2efa1b9178cc56df9314c21c6e718",
        "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
    ),
)
OMNIGLOT_EVALUATION = (
    _file(
        "omniglot/images_evaluation.zip",
        _OMNIGLOT_BASES,
        6462886,
        "6b91aef0f799c5bb55b94e3f2daec811",
        "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
    ),
)
CIFAR10 = (
    _file(
        "cifar-10-binary.tar.gz",
        _CIFAR_BASES,
        170052171,
        "c32a1d4ab5d03f1284b67883e8d87530",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
)
CIFAR100 = (
    _file(
        "cifar-100-binary.tar.gz",
        _CIFAR_BASES,
        168513733,
        "03b5dce01913d631647c71ecec9e9cb8",
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    ),
)
CELEBA = (
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
)
