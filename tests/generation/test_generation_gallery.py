"""The gallery of a run: the right model meets the right images, and what cannot be drawn is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recollect.errors import RecollectError
from recollect.figures.sheet import About
from recollect.generation import gallery as gallery_module
from recollect.generation.gallery import Gallery
from recollect.generation.latents import mode


class Model:
    """Samples of task j after task t have the value 10 t + j; encoder and decoder leave their marks."""

    def __init__(self, after, is_local):
        self.after, self.encoder_is_local, self.noises = after, is_local, []

    def sample(self, n, task, generator):
        self.noises.append((task, torch.rand(1, generator=generator).item()))
        return torch.full((n, 1, 2, 2), 10.0 * self.after + task)

    def encoder(self, x):
        one = torch.ones(len(x), 1)
        return self.after * one, -1e9 * one, 1e9 * one

    @property
    def decoder(self):
        def images(z, b, task):
            return (100 * self.after + 10 * z[:, 0] + task).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)

        def translator(z, b, task):
            return torch.stack([z[:, 0], b[:, 0], task, torch.full((len(z),), self.after)], dim=1).float()

        return SimpleNamespace(images=images, translator=translator)


class Generator(Model):
    encoder = property(lambda self: self._no())

    def _no(self):
        raise AttributeError


class Stored(dict):
    @property
    def tasks(self):
        return sorted(self)


@pytest.fixture(scope="module")
def stream(tiny):
    return tiny.benchmark().test_stream


def opened(stream, afters=(0, 1, 2), is_local=False, kind=Model):
    models = Stored({after: kind(after, is_local) for after in afters})
    return Gallery(models, stream, About("Title", 3, (0.0, 1.0)), 0, torch.device("cpu"))


@pytest.fixture
def drawn(monkeypatch):
    """What is handed to the drawing functions."""
    found = {}

    def catch(name):
        def draw(*arguments):
            found[name] = arguments

        return draw

    for name in ("sample_sheet", "reconstruction_sheet", "latent_space"):
        monkeypatch.setattr(gallery_module, name, catch(name))
    return found


def values(cells):
    return {key: images.flat[0] for key, images in cells.items()}


def test_samples_of_every_task_seen_with_the_same_noise(stream, drawn):
    gallery = opened(stream)
    gallery.samples()
    real, made, about = drawn["sample_sheet"]
    assert values(made) == {(t, j): 10 * t + j for t in range(3) for j in range(t + 1)}
    assert {images.shape for images in made.values()} == {(9, 1, 2, 2)}
    assert {task: len(images) for task, images in real.items()} == {0: 8, 1: 8, 2: 8}
    assert about.title == "Title"
    noises = [noise for model in gallery.models.values() for noise in model.noises]
    assert len(set(noises)) == 3


def test_one_model_is_sampled_for_all_tasks(stream, drawn):
    opened(stream, afters=[2]).samples()
    assert values(drawn["sample_sheet"][1]) == {(2, j): 20 + j for j in range(3)}


@pytest.mark.parametrize(("is_local", "at_the_end"), [(False, [220, 221, 222]), (True, [200, 211, 222])])
def test_reconstructions_by_the_encoder_that_knows_the_task(stream, drawn, is_local, at_the_end):
    """Values are 100 * decoder's task + 10 * encoder's task + task."""
    opened(stream, is_local=is_local).reconstructions()
    rows, _, caption = drawn["reconstruction_sheet"]
    first, *others = (list(values(row).values()) for row in rows.values())
    assert others == [[0, 111, 222], at_the_end]
    assert len(set(first)) == 3
    assert ("as it was after that task" in caption) == is_local


def test_one_model_reconstructs_once(stream, drawn):
    opened(stream, afters=[2], is_local=True).reconstructions()
    rows, _, caption = drawn["reconstruction_sheet"]
    assert [list(values(row).values()) for row in rows.values()][1:] == [[220, 221, 222]]
    assert "as it was" not in caption


def test_latents_are_translated_by_the_last_model(stream, drawn):
    opened(stream, is_local=True).latents()
    z, tasks, classes, _, caption = drawn["latent_space"]
    np.testing.assert_array_equal(np.unique(z, axis=0), [[0, 1, 0, 2], [1, 1, 1, 2], [2, 1, 2, 2]])
    np.testing.assert_array_equal(z[:, 2], tasks)
    np.testing.assert_array_equal(classes // 2, tasks)
    assert "the 4 dimensions" in caption


@pytest.mark.parametrize("kind", ["reconstructions", "latents"])
def test_a_generator_without_encoder_has_samples_only(stream, kind):
    with pytest.raises(RecollectError, match="no encoder"):
        getattr(opened(stream, kind=Generator), kind)()


def test_images_are_spread_over_the_task(stream):
    x, labels = opened(stream).images(1, 3)
    images = stream[1].dataset.ready_images
    assert torch.equal(x, images.gather(torch.tensor([0, 4, 7])))
    np.testing.assert_array_equal(labels, images.labels[[0, 4, 7]])


def test_mode_takes_means_and_likelier_codes():
    found = mode((torch.tensor([[1.0]]), torch.tensor([[5.0]]), torch.tensor([[-0.1, 0.1]])))
    assert (found.z.tolist(), found.b.tolist()) == ([[1.0]], [[-1.0, 1.0]])
