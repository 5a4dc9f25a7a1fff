import numpy as np
import pytest
from scipy import ndimage

from pcmsim.datasets import elastic
from pcmsim.datasets.elastic import distort
from pcmsim.errors import UsageError
from pcmsim.rng import stream

NOISE = stream(1, "noise").integers(0, 256, (7, 28 * 28)).astype(np.uint8)


def test_images_agree_with_the_publication_step_by_step():
    """Filter and interpolation of scipy, one image and one field at a time."""
    fields = stream(2, "x").uniform(-1.0, 1.0, (2, 7, 28, 28))
    rows, columns = np.indices((28, 28))
    for i, image in enumerate(distort(NOISE, stream(2, "x"), alpha=34.0, sigma=4.0)):
        dy, dx = (34 * ndimage.gaussian_filter(f[i], 4.0, mode="constant") for f in fields)
        # Zeros around the image: places beyond its edge mix with them.
        framed = np.pad(NOISE[i].reshape(28, 28).astype(float), 9)
        wanted = ndimage.map_coordinates(framed, [rows + dy + 9, columns + dx + 9], order=1)
        np.testing.assert_array_equal(image.reshape(28, 28), np.rint(wanted))


def test_pixels_move_by_what_the_gaussian_leaves_of_the_noise():
    # Of white noise of variance 1/3 a Gaussian of two axes leaves 1/(4 pi sigma^2): 1.384 pixels.
    # 2 x 400 fields, about 4 independent places each in the inner half: 4 standard errors of 1.3 %.
    moves = 34 * elastic._smooth(stream(3, "x").uniform(-1, 1, (2, 400, 60, 60)), 4.0)
    rms = np.sqrt((moves[..., 20:40, 20:40] ** 2).mean())
    assert rms == pytest.approx(34 * np.sqrt(1 / 3 / (4 * np.pi * 16)), rel=0.05)


def test_without_strength_nothing_moves():
    np.testing.assert_array_equal(distort(NOISE, stream(4, "x"), alpha=0.0), NOISE)


def test_every_image_has_fields_of_its_own():
    same = np.repeat(NOISE[:1], 6, axis=0)
    distorted = distort(same, stream(5, "x"))
    assert len({image.tobytes() for image in distorted}) == 6


def test_many_images_are_all_distorted(monkeypatch):
    monkeypatch.setattr(elastic, "AT_ONCE", 3)
    distorted = distort(NOISE, stream(6, "x"))
    assert (distorted != NOISE).any(axis=1).all()
    assert distorted.shape == NOISE.shape


def test_originals_stay_as_they_are():
    before = NOISE.copy()
    distort(NOISE, stream(7, "x"))
    np.testing.assert_array_equal(NOISE, before)


@pytest.mark.parametrize(
    ("images", "settings", "says"),
    [
        (NOISE[:, :783], {}, "783 pixels; distortion needs square images"),
        (NOISE.astype(float), {}, "uint8"),
        (NOISE, {"alpha": -1.0}, "alpha = -1"),
        (NOISE, {"alpha": float("nan")}, "alpha = nan"),
        (NOISE, {"sigma": 0.0}, "sigma = 0"),
    ],
)
def test_what_cannot_be_distorted_is_refused(images, settings, says):
    with pytest.raises(UsageError, match=says):
        distort(images, stream(1, "x"), **settings)
