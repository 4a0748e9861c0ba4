"""Pictures of generators: which image is in which cell, what is said about them, same bytes for same input."""

import matplotlib
import numpy as np
import pytest

from recollect.errors import RecollectError
from recollect.figures.distances import distance_figure
from recollect.figures.draw import render
from recollect.figures.latent_space import latent_space, principal_plane
from recollect.figures.mosaic import mosaic, show
from recollect.figures.notice import notice
from recollect.figures.numbered import numbered_looks
from recollect.figures.sheet import About, per_line, reconstruction_sheet, sample_sheet, shown_tasks
from recollect.figures.style import style

NAN = np.nan


def constant(*values, channels=1, side=2):
    """Images (n, C, side, side), each of one value."""
    return np.array(values, dtype=float)[:, None, None, None] * np.ones((1, channels, side, side))


def words(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def pixels(figure):
    """The array of the first picture in a figure."""
    return np.ma.filled(figure.axes[0].get_images()[0].get_array(), NAN)


# Mosaics -------------------------------------------------------------------------------------------


def test_mosaic_by_hand():
    """Images of 2 x 2 pixels, two in a line, one pixel between them and three between cells."""
    made = mosaic([[constant(1, 2, 3), constant(4)], [None, constant(5, 6)]], across=2)
    assert made.pixels.shape == (5 + 3 + 2, 5 + 3 + 5, 1)
    found = made.pixels[:, :, 0]
    corners = {(0, 0): 1, (0, 3): 2, (3, 0): 3, (0, 8): 4, (8, 8): 5, (8, 11): 6}
    for (y, x), value in corners.items():
        np.testing.assert_array_equal(found[y : y + 2, x : x + 2], value)
    assert np.isfinite(found).sum() == 4 * len(corners)
    assert made.rows == [2.0, 8.5]
    assert made.columns == [2.0, 10.0]


def test_pixels_keep_their_place_and_channels():
    image = np.arange(12.0).reshape(1, 3, 2, 2)
    made = mosaic([[image]], across=1)
    np.testing.assert_array_equal(made.pixels[0, 1], [1, 5, 9])


@pytest.mark.parametrize("cells", [[[None]], [[constant(1), constant(1, side=3)]]])
def test_images_of_one_shape_are_needed(cells):
    with pytest.raises(RecollectError, match="images of one shape"):
        mosaic(cells, across=1)


def shown(images, value_range):
    from matplotlib.figure import Figure

    panel = Figure().add_subplot()
    needs_bar = show(panel, mosaic([[images]], across=len(images)), value_range)
    return panel.get_images()[0], needs_bar


def test_grey_pixels_run_from_black_to_white():
    image, needs_bar = shown(constant(0.5), (0.0, 1.0))
    assert (image.get_clim(), image.get_cmap().name, needs_bar) == ((0.0, 1.0), "gray", None)


def test_measured_pixels_keep_their_numbers_and_get_a_bar():
    image, needs_bar = shown(constant(3.0), (0.0, 6.5))
    assert image is needs_bar
    assert image.get_clim() == (0.0, 6.5)
    assert image.get_array().max() == 3.0


def test_colours_are_cut_and_the_space_between_is_white():
    image, needs_bar = shown(constant(-1.0, 7.0, channels=3), (0.0, 5.0))
    assert needs_bar is None
    np.testing.assert_array_equal(image.get_array()[0, :, 0], [0, 0, 1, 1, 1])


def test_two_channels_cannot_be_drawn():
    with pytest.raises(RecollectError, match="2 channels"):
        shown(constant(1.0, channels=2), (0.0, 1.0))


# Sheets --------------------------------------------------------------------------------------------


def test_shown_tasks():
    assert shown_tasks(1) == [0]
    assert shown_tasks(5) == [0, 1, 2, 3, 4]
    assert shown_tasks(20) == [0, 2, 4, 6, 8, 11, 13, 15, 17, 19]
    assert (per_line(5), per_line(6)) == (3, 2)


def samples(n_tasks, each=4):
    """Images of task j have the value j / 100, samples after task t of task j the value (10 t + j) / 100."""
    tasks = shown_tasks(n_tasks)
    real = {j: constant(*[j / 100] * each) for j in tasks}
    made = {(t, j): constant(*[(10 * t + j) / 100] * each) for t in tasks for j in tasks if j <= t}
    return real, made


def test_rows_of_a_sample_sheet_are_data_and_training_tasks():
    real, made = samples(2, each=9)
    with style():
        figure = sample_sheet(real, made, About("Method, scenario", 2, (0.0, 1.0)))
    found, cell = pixels(figure), 3 * 2 + 2 + 3
    corner = [[found[row * cell, column * cell] for column in range(2)] for row in range(3)]
    np.testing.assert_allclose(corner, [[0.0, 0.01], [0.0, NAN], [0.10, 0.11]])
    assert {"Method, scenario", "task 1", "task 2", "data", "after\ntask 1", "after\ntask 2"} <= set(words(figure))
    assert not any(" of 2." in text for text in words(figure))


def test_a_subset_of_tasks_is_said():
    with style():
        figure = sample_sheet(*samples(20), About("Title", 20, (0.0, 1.0)))
    said = " ".join(words(figure)).replace("\n", " ")
    assert "Tasks 1, 3, 5, 7, 9, 12, 14, 16, 18, 20 of 20." in said
    assert "after task 12" in said


def test_reconstructions_stand_below_their_images():
    rows = {"data": {0: constant(0.1, 0.2)}, "at the\nend": {0: constant(0.3, 0.4)}}
    with style():
        figure = reconstruction_sheet(rows, About("Title", 1, (0.0, 1.0)), "What this is.")
    found = pixels(figure)
    np.testing.assert_allclose([found[0, 0], found[0, 3], found[5, 0], found[5, 3]], [0.1, 0.2, 0.3, 0.4])
    assert {"data", "at the\nend", "What this is."} <= set(words(figure))


def test_only_measured_pixels_have_a_colour_bar():
    rows = {"data": {0: constant(0.1)}}
    with style():
        plain, measured = (reconstruction_sheet(rows, About("T", 1, (0.0, high)), "C") for high in (1.0, 6.5))
    assert len(plain.axes) == 1
    assert len(measured.axes) == 2
    assert "pixel value, range of the training images" in words(measured)


def inside(figure):
    """All that is drawn lies in the figure."""
    figure.draw_without_rendering()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= -0.01
    assert drawn.y0 >= -0.01
    assert drawn.x1 <= width + 0.01
    assert drawn.y1 <= height + 0.01


@pytest.mark.parametrize("n_tasks", [1, 3, 20])
@pytest.mark.parametrize("high", [1.0, 6.5])
def test_no_text_of_a_sheet_is_cut_off(n_tasks, high):
    with style():
        inside(sample_sheet(*samples(n_tasks), About("A method with a long name, scenario", n_tasks, (0.0, high))))


# Latent space --------------------------------------------------------------------------------------


def test_principal_plane_by_hand():
    """Points on the axes (2, 0, 0) and (0, 0, -1): variances 8 and 2 of 10; signs as the largest loading."""
    z = np.array([[2.0, 0, 0], [-2, 0, 0], [0, 0, 1], [0, 0, -1]]) + 5
    plane = principal_plane(z)
    np.testing.assert_allclose(plane.points, [[2, 0], [-2, 0], [0, 1], [0, -1]], atol=1e-12)
    np.testing.assert_allclose(plane.shares, [0.8, 0.2])


@pytest.mark.parametrize("z", [np.zeros((1, 3)), np.arange(4.0)[:, None], np.zeros((5, 4))])
def test_a_plane_always_has_two_directions(z):
    plane = principal_plane(z)
    assert plane.points.shape == (len(z), 2)
    assert np.isfinite(plane.points).all()
    assert np.isfinite(plane.shares).all()


def test_points_are_coloured_by_task_and_by_class():
    z = np.random.default_rng(0).normal(size=(6, 3))
    tasks, classes = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 2, 3, 3])
    with style():
        figure = latent_space(z, tasks, classes, "Title", "Caption.")
    counts = [{line.get_label(): len(line.get_xdata()) for line in panel.get_lines()} for panel in figure.axes]
    assert counts == [{"task 1": 3, "task 2": 3}, {"class 0": 1, "class 1": 2, "class 2": 1, "class 3": 2}]
    np.testing.assert_allclose(figure.axes[0].get_lines()[1].get_xdata(), principal_plane(z).points[3:, 0])
    inside(figure)


def test_many_classes_have_a_colour_bar_instead_of_a_legend():
    z, classes = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40)
    with style():
        figure = latent_space(z, np.zeros(40, dtype=int), classes, "Title", "Caption.")
    assert len(figure.axes) == 3
    assert figure.axes[1].get_legend() is None
    assert len({look.colour for look in numbered_looks(40)}) == 40
    inside(figure)


# Distances -----------------------------------------------------------------------------------------

FID = np.array([[[10.0, NAN], [14.0, 20.0]], [[12.0, NAN], [18.0, 30.0]]])


def test_fid_is_the_mean_over_seeds_as_map_and_curves():
    with style():
        figure = distance_figure({"FID on lenet": FID}, "Title")
    np.testing.assert_allclose(pixels(figure), [[11, NAN], [16, 25]])
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[1].get_lines()}
    np.testing.assert_allclose(lines["task 1"], [11, 16])
    np.testing.assert_allclose(lines["task 2"], [NAN, 25])
    np.testing.assert_allclose(figure.axes[1].get_lines()[-1].get_ydata(), [11, 25])
    assert {"11", "16", "25", "Title, mean of 2 seeds", "FID on lenet"} <= set(words(figure))
    inside(figure)


def test_fid_of_one_model_only_has_no_line_of_what_was_just_learned():
    with style():
        figure = distance_figure({"FID": np.array([[[NAN, NAN], [14.0, 20.0]]])}, "Joint")
    assert "Joint" in words(figure)
    assert not any("dotted" in text for text in words(figure))


def test_fid_of_many_tasks():
    matrix = np.where(np.tril(np.ones((20, 20), dtype=bool)), 5.0, NAN)[None]
    with style():
        figure = distance_figure({"FID": matrix}, "Title")
    assert len(figure.axes) == 4
    inside(figure)


def test_every_distance_has_its_row():
    with style():
        figure = distance_figure({"W1, log": FID, "W1, photons": 2 * FID}, "Title")
    assert [np.nanmax(panel.get_images()[0].get_array()) for panel in figure.axes[:4:2]] == [25, 50]
    assert {"W1, log", "W1, photons"} <= set(words(figure))
    inside(figure)


def test_large_fid_is_written_out():
    with style():
        assert {"1013", "5.25"} <= set(
            words(distance_figure({"FID": np.array([[[1013.4, NAN], [5.253, 9.0]]])}, "T"))
        )


def test_fid_of_nought_and_of_one_task():
    with style():
        render(distance_figure({"FID": np.zeros((1, 1, 1))}, "Title"), "png")


# Files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["png", "pdf"])
def test_same_input_same_bytes(form):
    def draw():
        with style():
            figures = [
                sample_sheet(*samples(3), About("T", 3, (0.0, 1.0))),
                latent_space(np.eye(4), np.arange(4), np.arange(4), "T", "C"),
                distance_figure({"FID": FID}, "T"),
                notice("T", "diverged: at task 0, step 3"),
            ]
            return [render(figure, form) for figure in figures]

    assert draw() == draw()


def test_notice_says_why():
    with style():
        figure = notice("Method, scenario", "diverged: at task 0, step 3")
    assert {"Method, scenario", "diverged: at task 0, step 3"} <= set(words(figure))
    inside(figure)
