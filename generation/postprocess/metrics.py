"""How alike two pictures are, and how alike two sets of pictures; NumPy alone, without torch.

Pairs: mean squared error, peak signal-to-noise ratio, and structural similarity (Wang, Bovik,
Sheikh & Simoncelli, IEEE TIP 2004). Sets, by features of their pictures: the Fréchet distance
(Heusel et al., NeurIPS 2017), precision and recall (Kynkäänniemi et al., NeurIPS 2019), diversity.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]
Float64 = NDArray[np.float64]

WINDOW, SIGMA = 11, 1.5
"""The side of SSIM's Gaussian window, and its standard deviation, in pixels."""
C1, C2 = 0.01**2, 0.03**2
"""What keeps SSIM's quotients stable, for values in [0, 1] (its sections III.B and III.C)."""
NEIGHBOURS = 3
"""Of precision's and recall's spheres: the papers' k."""

_LUMINANCE = (0.299, 0.587, 0.114)
_BLOCK = 32
"""Rows that one product of matrices filters."""
_CHUNK = 1024
"""Points whose distances to all others are held at once."""


def unit(picture: Array | Bytes) -> Array:
    """Return a picture's values in [0, 1]: as they are, or those of 8 bits as float32."""
    if picture.dtype == np.uint8:
        return picture.astype(np.float32) / np.float32(255)
    return cast("Array", picture)


def luminance(rgb: Array | Bytes) -> Array:
    """Return a picture's luma, of Recommendation ITU-R BT.601.

    Shape:
        - rgb: ``(H, W, 3)``, of 8 bits or in [0, 1].
        - returns: ``(H, W)``, in [0, 1].
    """
    grey: Array = np.empty(rgb.shape[:2], unit(rgb[:1]).dtype)
    for rows in _strips(len(rgb)):
        np.matmul(unit(rgb[rows]), np.array(_LUMINANCE, grey.dtype), out=grey[rows])
    return grey


def mse(one: Array | Bytes, other: Array | Bytes, weights: Array | None = None) -> float:
    """Return the mean squared difference of two pictures' values, 0 if they are the same.

    Shape:
        - one, other: ``(H, W, 3)``, of 8 bits or in [0, 1]; the figure is of values in [0, 1].
        - weights: ``(H, W)``, how much each pixel counts; None counts all alike.
    """
    total = 0.0
    for rows in _strips(len(one)):
        apart = unit(one[rows]) - unit(other[rows])
        if weights is None:
            total += float(np.vdot(apart, apart))
        else:
            squares = np.square(apart) @ np.ones(3, apart.dtype)
            total += float(np.vdot(squares, weights[rows]))
    count = one[..., 0].size if weights is None else float(weights.sum(dtype=np.float64))
    return float(total / (one.shape[-1] * count))


def psnr(error: float) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error, in decibels.

    It is ``10 log10(1 / MSE)`` for values in [0, 1], and infinite where nothing differs.
    """
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ssim(one: Array, other: Array, weights: Array | None = None, *, step: int = 1) -> float:
    """Return the mean structural similarity of two pictures' luma, 1 if it is the same.

    It is no number where all weight lies so close to the edge that no window is around it.

    Args:
        one: a picture, ``(H, W)``, in [0, 1], 11 pixels a side at least.
        other: another, likewise.
        weights: ``(H, W)``, how much the window around each pixel counts; None counts all alike.
        step: pixels from one window to the next. With 2 it takes less than half of the time, and
            photographs' figures differ by less than a thousandth.

    Raises:
        ValueError: a side is shorter than the window, or the sizes differ.
    """
    found = ssim_map(one, other, step=step)
    if weights is None:
        return float(found.mean(dtype=np.float64))
    seen = weights[WINDOW // 2 :: step, WINDOW // 2 :: step][: found.shape[0], : found.shape[1]]
    total = float(seen.sum(dtype=np.float64))
    return float((found * seen).sum(dtype=np.float64)) / total if total else float("nan")


def ssim_map(one: Array, other: Array, *, step: int = 1) -> Array:
    """Return the structural similarity of the windows that lie in both pictures (equation 13).

    Means, variances and covariance are weighed by a Gaussian of 11 x 11 pixels (section III.C).

    Shape:
        - one, other: ``(H, W)``, in [0, 1], 11 pixels a side at least.
        - returns: ``(H - 10, W - 10)``, at most 1; fewer if the windows lie more than 1 px apart.

    Raises:
        ValueError: a side is shorter than the window, or the sizes differ.
    """
    if one.shape != other.shape or min(one.shape) < WINDOW:
        raise ValueError(f"{one.shape} and {other.shape} are no two pictures of {WINDOW} a side")
    strips = (_seen(rows, step=step) for rows in _strips(_windows(len(one), step), step=step))
    return np.concatenate([_strip(one[rows], other[rows], step=step) for rows in strips])


def _windows(length: int, step: int) -> int:
    """Return how many windows lie within a length."""
    return (length - WINDOW) // step + 1


def _seen(windows: slice, *, step: int) -> slice:
    """Return the pixels that windows, one after another, see of a row or column."""
    return slice(windows.start * step, (windows.stop - 1) * step + WINDOW)


def _strips(length: int, *, step: int = 1) -> Iterator[slice]:
    """Yield few rows at a time: what is calculated of them stays in the processor's cache."""
    block = _BLOCK // step
    for top in range(0, length, block):
        yield slice(top, min(top + block, length))


def _strip(one: Array, other: Array, *, step: int) -> Array:
    """Return the map of a few rows."""
    # Variances are differences of large numbers, which are smaller around 0.
    half = one.dtype.type(0.5)
    planes = np.empty((len(one), 4, one.shape[1]), one.dtype)
    x, y, power, product = (planes[:, place] for place in range(4))
    np.subtract(one, half, out=x)
    np.subtract(other, half, out=y)
    np.multiply(x, y, out=product)
    np.add(x * x, y * y, out=power)
    mu_x, mu_y, power, xy = _blurred(planes, step=step)
    both, squares = mu_x * mu_y, mu_x * mu_x + mu_y * mu_y
    # Of the values themselves: 2 (x + 1/2) (y + 1/2) = 2 xy + x + y + 1/2, and so the squares.
    lift = mu_x + mu_y + half
    top = (2 * both + lift + C1) * (2 * (xy - both) + C2)
    bottom = (squares + lift + C1) * (power - squares + C2)
    found: Array = top / bottom
    return found


def gaussian(*, size: int = WINDOW, sigma: float = SIGMA) -> Float64:
    """Return the weights of a window along one axis; their sum is 1."""
    places = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * np.square(places / sigma))
    found: Float64 = weights / weights.sum()
    return found


def _blurred(planes: Array, *, step: int) -> Array:
    """Return planes under the Gaussian window, where it lies within them.

    A product with a small banded matrix takes a fifth of the time of adding eleven shifted copies.

    Shape:
        - planes: ``(H, N, W)``, of as many rows as a strip of windows sees.
        - returns: ``(N, windows, windows)``.
    """
    seen, count, width = planes.shape
    band = _band(planes.dtype.str, step)
    tall, wide = _windows(seen, step), _windows(width, step)
    down = (band[:seen, :tall].T @ planes.reshape(seen, -1)).reshape(tall * count, width)
    out = np.empty((tall * count, wide), planes.dtype)
    for columns in _strips(wide, step=step):
        part = down[:, _seen(columns, step=step)]
        many = columns.stop - columns.start
        np.matmul(part, band[: part.shape[1], :many], out=out[:, columns])
    return out.reshape(tall, count, wide).swapaxes(0, 1)


@cache
def _band(dtype: str, step: int) -> Array:
    """Return the matrix that filters a strip along one axis; each column holds the window."""
    columns = _BLOCK // step
    band = np.zeros(((columns - 1) * step + WINDOW, columns), dtype)
    for column in range(columns):
        band[column * step : column * step + WINDOW, column] = gaussian()
    return band


class Moments:
    """Count, mean and covariance of points that come a few at a time; float64 throughout.

    Batches are merged as Chan, Golub & LeVeque (1983) do, so that no large sums cancel.

    Args:
        size: numbers of a point.

    Attributes:
        count: points so far.
        mean: ``(size,)``.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean: Float64 = np.zeros(size)
        self._scatter: Float64 = np.zeros((size, size))

    def add(self, points: Array) -> None:
        """Take points in.

        Shape:
            - points: ``(N, size)``.
        """
        if not len(points):
            return
        batch = points.astype(np.float64)
        mean = batch.mean(axis=0)
        apart, total = mean - self.mean, self.count + len(batch)
        self._scatter += (batch - mean).T @ (batch - mean)
        self._scatter += np.outer(apart, apart) * (self.count * len(batch) / total)
        self.mean = self.mean + apart * (len(batch) / total)
        self.count = total

    @property
    def covariance(self) -> Float64:
        """The unbiased estimate, of two points at least.

        Shape:
            - returns: ``(size, size)``, symmetric, positive semi-definite.
        """
        found: Float64 = self._scatter / (self.count - 1)
        return found


def frechet_distance(
    mean: Float64, covariance: Float64, other_mean: Float64, other_covariance: Float64
) -> float:
    """Return the squared Fréchet distance of two Gaussians, 0 if they are the same.

    ``|m - m'|^2 + Tr(C + C' - 2 (C C')^(1/2))`` (Dowson & Landau 1982; Heusel et al., section 2).
    The root's trace is that of ``(C^(1/2) C' C^(1/2))^(1/2)``, which is symmetric and has a root
    whatever the ranks.

    Shape:
        - mean, other_mean: ``(D,)``.
        - covariance, other_covariance: ``(D, D)``, symmetric, positive semi-definite.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ other_covariance @ root).clip(0)).sum()
    spread = np.trace(covariance) + np.trace(other_covariance) - 2 * shared
    return max(0.0, float(np.square(mean - other_mean).sum() + spread))


def fid(real: Array, made: Array) -> float:
    """Return the Fréchet distance of the Gaussians that fit two sets of features best.

    Few pictures make it too large: beside it belongs their number.

    Shape:
        - real, made: ``(N, D)`` and ``(M, D)``, two of each at least.
    """
    one, other = Moments(real.shape[1]), Moments(made.shape[1])
    one.add(real)
    other.add(made)
    return frechet_distance(one.mean, one.covariance, other.mean, other.covariance)


def precision_recall(real: Array, made: Array, *, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Return improved precision and recall (Kynkäänniemi et al., equations 1 and 2).

    Around each point lies a sphere that reaches to its k-th nearest neighbour in its own set.
    Precision is the share of what was made that lies in a sphere of the data: how real it is;
    recall the share of the data that lies in a sphere of what was made: how much it covers.

    Shape:
        - real, made: ``(N, D)`` and ``(M, D)``, more than ``k`` of each.
    """
    centre = real.mean(axis=0, dtype=np.float64)
    one, other = real - centre, made - centre
    return _covered(other, one, k=k), _covered(one, other, k=k)


def _covered(points: Float64, spheres: Float64, *, k: int) -> float:
    """Return the share of points that lie in a sphere around one of the others."""
    # A point is its own nearest neighbour, at no distance.
    reaches = np.concatenate(
        [np.partition(each, k, axis=1)[:, k] for each in _distances(spheres, spheres)]
    )
    inside = [(each <= reaches).any(axis=1) for each in _distances(points, spheres)]
    return float(np.concatenate(inside).mean())


def _distances(points: Float64, others: Float64) -> Iterator[Float64]:
    """Yield the squared distances of some points at a time to all others.

    Shape:
        - yields: ``(at most _CHUNK, len(others))``.
    """
    lengths = np.square(others).sum(axis=1)
    for start in range(0, len(points), _CHUNK):
        some = points[start : start + _CHUNK]
        found = np.square(some).sum(axis=1)[:, None] + lengths - 2 * some @ others.T
        yield found.clip(0)


class Spread:
    """How much pictures of one size differ, which come a few at a time.

    It is the figure of ``generation.pipelines.gan.diversity``, in the memory of two pictures.
    """

    def __init__(self) -> None:
        self._count = 0
        self._sum: Any = 0.0
        self._squares = 0.0

    def add(self, picture: Array) -> None:
        """Take a picture in.

        Shape:
            - picture: any, the same each time, in [0, 1].
        """
        values = picture.astype(np.float64)
        self._count += 1
        self._sum = self._sum + values
        self._squares += float(np.square(values).mean())

    @property
    def diversity(self) -> float:
        """The root mean square distance between any two of them, per value; of two at least."""
        count = self._count
        spread = self._squares / count - float(np.square(self._sum / count).mean())
        return float(np.sqrt(2 * count / (count - 1) * max(0.0, spread)))


def mean_and_error(values: Array) -> tuple[float, float]:
    """Return the mean of measurements, and how far the true one may be off at 95 % confidence.

    The half width of Student's interval ``t s / sqrt(n)``; infinite of fewer than two.

    Shape:
        - values: ``(N,)``, one at least.
    """
    from scipy.special import stdtrit

    count = len(values)
    if count < 2:
        return float(values.mean()), float("inf")
    half = stdtrit(count - 1, 0.975) * values.std(ddof=1) / np.sqrt(count)
    return float(values.mean()), float(half)
