"""The data sets of several modalities, one `DatasetSpec` each."""

from functools import partial
from typing import Any

from recollect.datasets import ave, official, samsemo, uestc_mmea
from recollect.datasets.spec import DatasetSpec, RemoteFile, packed_shape
from recollect.datasets.spoken_written import ARCHIVE, MODALITIES, SPEAKERS, load_spoken_written

_SPOKEN: dict[str, Any] = {
    "n_classes": 10,
    "input_shape": packed_shape(MODALITIES),
    "modalities": MODALITIES,
    "files": (RemoteFile(ARCHIVE, ()), *official.MNIST),
    "how_to_get": (
        "clone https://github.com/Jakobovski/free-spoken-digit-dataset as the folder fsdd, or put its zip archive "
        "there as fsdd.zip; it wants the four idx .gz files of MNIST in the folder mnist too"
    ),
    "licence": "CC BY-SA 4.0 (recordings), none stated (images)",
    "citation": "Jackson et al., Free Spoken Digit Dataset (2018); LeCun et al., Proc. IEEE 86 (1998)",
}
SPOKEN_WRITTEN = DatasetSpec(
    name="spoken_written_digits",
    title="Spoken and written digits, six speakers",
    load=load_spoken_written,
    train_counts=(270,) * 10,
    test_counts=(30,) * 10,
    content_sha256="02641f43c831a0d9df19b024fa9fa35c6a3b4ac6d3cc52b102c390a2452ee9c9",
    **_SPOKEN,
)
_CONTENTS = (
    "6e4e309b3effd3f8ec6f27aacabd956525aa4645c93743253990eac28c6eafd1",
    "77dba670d6a9cc7846dd217c0b90dd58d47a05fcbb629cb8dd1e408e0de590af",
    "eb86c5823890b435b72e13dc1d1631daf4d210a3b0310cceaebe629e99b160df",
    "cedd3bfc21e70f01b028313723910aea69507d90f4eaec2e14533f5e0714ed31",
    "83481e4b03765424037a424a876c6e077ea3a824569ebdaf47a383e682a545ca",
    "4fb15cfd70de952d0d46b8b5bf32445409461afef598a7d855ff3d81aa149719",
)
BY_SPEAKER = tuple(
    DatasetSpec(
        name=f"spoken_written_digits_{speaker}",
        title=f"Spoken and written digits, speaker {speaker}",
        load=partial(load_spoken_written, speaker=speaker),
        train_counts=(45,) * 10,
        test_counts=(5,) * 10,
        content_sha256=content,
        **_SPOKEN,
    )
    for speaker, content in zip(SPEAKERS, _CONTENTS, strict=True)
)
AVE = DatasetSpec(
    name="ave",
    title="AVE, audio-visual events",
    n_classes=ave.N_CLASSES,
    input_shape=packed_shape(ave.MODALITIES),
    modalities=ave.MODALITIES,
    files=(RemoteFile(ave.FOLDER, ()),),
    load=ave.load_ave,
    how_to_get=(
        "follow https://github.com/YapengTian/AVE-ECCV18 to its archive AVE_Dataset.zip and unpack it there as "
        "the folder AVE_Dataset, with AVE/*.mp4, Annotations.txt, trainSet.txt and testSet.txt in it"
    ),
    licence="none stated; the videos belong to their owners",
    citation="Tian, Shi, Li, Duan, Xu, Audio-Visual Event Localization, ECCV (2018)",
)
UESTC_MMEA = DatasetSpec(
    name="uestc_mmea",
    title="UESTC-MMEA-CL, egocentric activities",
    n_classes=uestc_mmea.N_CLASSES,
    input_shape=packed_shape(uestc_mmea.MODALITIES),
    modalities=uestc_mmea.MODALITIES,
    files=(RemoteFile(uestc_mmea.FOLDER, ()),),
    load=uestc_mmea.load_uestc_mmea,
    how_to_get=(
        "ask for it at https://ivipclab.github.io/publication_uestc-mmea-cl/mmea-cl/ and unpack it there as the "
        "folder UESTC-MMEA-CL, with video, sensor, train.txt and test.txt in it"
    ),
    licence="educational and non-commercial use",
    citation="Xu et al., Towards Continual Egocentric Activity Recognition, IEEE TMM 26 (2024)",
)
_SAMSEMO: dict[str, Any] = {
    "n_classes": len(samsemo.EMOTIONS),
    "input_shape": packed_shape(samsemo.MODALITIES),
    "modalities": samsemo.MODALITIES,
    "files": (RemoteFile(samsemo.FOLDER, ()),),
    "how_to_get": (
        "download data/*.zip and metadata from https://huggingface.co/datasets/SamsungNLP/SAMSEMO into the folder "
        "SAMSEMO there"
    ),
    "licence": "see its page; the videos belong to their owners",
    "citation": "Bujnowski et al., SAMSEMO, Interspeech (2024)",
}
SAMSEMO = DatasetSpec(name="samsemo", title="SAMSEMO, five languages", load=samsemo.load_samsemo, **_SAMSEMO)
BY_LANGUAGE = tuple(
    DatasetSpec(
        name=f"samsemo_{language.lower()}",
        title=f"SAMSEMO, {language}",
        load=partial(samsemo.load_samsemo, languages=(language,)),
        **_SAMSEMO,
    )
    for language in samsemo.LANGUAGES
)
MULTIMODAL = (SPOKEN_WRITTEN, *BY_SPEAKER, AVE, UESTC_MMEA, SAMSEMO, *BY_LANGUAGE)
