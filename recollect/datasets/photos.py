"""Data sets of photographs shown at 224 x 224: those of the RevisitingCIL archives, and Stanford Cars.

How they are read and stored: `recollect.datasets.class_folders`. The archives' addresses are those that public
code on pre-trained models names; no checksum is published, so class folders and images are all that is checked.
"""

from functools import partial
from typing import Any

from recollect.datasets.cars import ARCHIVE, load_cars
from recollect.datasets.class_folders import load_class_folders
from recollect.datasets.spec import DatasetSpec, RemoteFile

_SHAPE: dict[str, Any] = {"input_shape": (3, 224, 224), "own_sizes": True}


def _revisited(name: str, title: str, n_classes: int, folder: str, address: str, **facts: Any) -> DatasetSpec:
    """A data set of the RevisitingCIL archives: no plain address, Google Drive asks before it hands them out."""
    archive = f"{folder}.zip"
    places = (folder, name, archive, f"{folder}/{archive}", f"{name}.zip")
    how = (
        f"download https://drive.google.com/file/d/{address}, one of the archives of "
        f"https://github.com/zhoudw-zdw/RevisitingCIL, and put it there as {archive}, or unpacked as the folder "
        f"{folder} with train and test in it"
    )
    return DatasetSpec(
        name=name, title=title, n_classes=n_classes, files=(RemoteFile(archive, ()),), how_to_get=how,
        load=partial(load_class_folders, wanted=archive, places=tuple(dict.fromkeys(places)), n_classes=n_classes),
        **_SHAPE, **facts,
    )  # fmt: skip


IMAGENETR = _revisited(
    "imagenetr",
    "ImageNet-R (RevisitingCIL split)",
    200,
    "imagenet-r",
    "1SG4TbiL8_DooekztyCVK8mPmfhMo8fkR",
    licence="the images belong to their owners; see the page of the data set",
    citation="Hendrycks et al., The Many Faces of Robustness, ICCV (2021)",
)
IMAGENETA = _revisited(
    "imageneta",
    "ImageNet-A (RevisitingCIL split)",
    200,
    "imagenet-a",
    "19l52ua_vvTtttgVRziCZJjal0TPE9f2p",
    licence="the images belong to their owners; see the page of the data set",
    citation="Hendrycks et al., Natural Adversarial Examples, CVPR (2021)",
)
CUB = _revisited(
    "cub",
    "CUB-200-2011 (RevisitingCIL split)",
    200,
    "cub",
    "1XbUpnWpJPnItt5zQ6sHJnsjPncnNLvWb",
    licence="non-commercial research and education; the images belong to their owners",
    citation="Wah, Branson, Welinder, Perona, Belongie, CNS-TR-2011-001, Caltech (2011)",
)
OMNIBENCHMARK = _revisited(
    "omnibenchmark",
    "OmniBenchmark (RevisitingCIL subset of 300 classes)",
    300,
    "omnibenchmark",
    "1AbCP3zBMtv_TDXJypOCnOgX8hJmvJm3u",
    licence="the images belong to their owners; see the page of the data set",
    citation="Zhang, Yin, Shao, Liu, OmniBenchmark, ECCV (2022)",
)
VTAB = _revisited(
    "vtab",
    "VTAB (RevisitingCIL: 5 domains of 10 classes)",
    50,
    "vtab",
    "1xUiwlnx4k0oDhYi26KL5KwrCAya-mvJ_",
    licence="those of its five data sets",
    citation="Zhai et al., arXiv 1910.04867 (2019)",
)
CARS = DatasetSpec(
    name="cars",
    title="Stanford Cars",
    n_classes=196,
    files=(RemoteFile(ARCHIVE, ()),),
    load=load_cars,
    how_to_get=(
        "the official addresses are gone; put the folder stanford_cars there as torchvision expects it "
        "(cars_train, cars_test, devkit/cars_train_annos.mat, cars_test_annos_withlabels.mat), or a folder cars "
        "with train and test in it, each of 196 class folders"
    ),
    licence="non-commercial research; the images belong to their owners",
    citation="Krause, Stark, Deng, Fei-Fei, 3D Object Representations for Categorization, 3dRR (2013)",
    **_SHAPE,
)

PHOTOS = (IMAGENETR, IMAGENETA, CUB, OMNIBENCHMARK, VTAB, CARS)
