"""StyleGAN2 (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020).

The generator has skip outputs and the discriminator is residual (section 4.1, configuration E).
Names and shapes of parameters are those of NVIDIA's stylegan2-ada-pytorch, so that its published
checkpoints fit. Equalised learning rates: weights are stored as N(0, 1) and scaled when used.

Differs from the paper: latents are not conditioned; everything is calculated in one precision.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE, GAIN = 0.2, math.sqrt(2)
"""Of the leaky ReLU, and what keeps its variance at 1."""
EPSILON = 1e-8
FILTER = (1.0, 3.0, 3.0, 1.0)
LEAST_RESOLUTION = 4


def activated(x: Tensor, bias: Tensor) -> Tensor:
    """Return ``sqrt(2) * lrelu(x + bias)``, of about unit variance if x is of N(0, 1).

    Shape:
        - x: ``(N, C, ...)``; bias: ``(C,)``.
    """
    return functional.leaky_relu(x + bias.view(1, -1, *[1] * (x.ndim - 2)), SLOPE) * GAIN


def normalised(z: Tensor) -> Tensor:
    """Return latents divided by their root mean square.

    Shape:
        - z: ``(N, C)``; returns the same.
    """
    return z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON)


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """Return what brings a modulated convolution's outputs to unit variance (equation 3).

    It is ``1 / sqrt(sum over i, k of (s_i w_ijk)^2 + eps)``.

    Shape:
        - weight: ``(O, I, k, k)``; styles: ``(N, I)``.
        - returns: ``(N, O)``.
    """
    power = weight.square().sum(dim=(2, 3))
    return torch.rsqrt(styles.square() @ power.T + EPSILON)


def filtered(
    x: Tensor, *, up: int = 1, down: int = 1, padding: Sequence[int], gain: float
) -> Tensor:
    """Return pictures with zeros put between, padded, smoothed by [1, 3, 3, 1], and thinned out.

    Shape:
        - x: ``(N, C, H, W)``.
        - padding: before and after, of both axes.
    """
    count, channels, height, width = x.shape
    if up > 1:
        spread = x.new_zeros(count, channels, height, up, width, up)
        spread[:, :, :, 0, :, 0] = x
        x = spread.view(count, channels, height * up, width * up)
    taps = x.new_tensor(FILTER) * (math.sqrt(gain) / sum(FILTER))
    before, after = padding
    x = functional.pad(x, (before, after, before, after))
    # The filter is separable: first the columns, then the rows, all channels alike.
    column = taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    row = taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    x = functional.conv2d(x, column, groups=channels, stride=(down, 1))
    return functional.conv2d(x, row, groups=channels, stride=(1, down))


class FullyConnected(nn.Module):
    """A linear layer whose learning rate is equalised (Karras et al., ICLR 2018, section 4.1).

    Args:
        rate: how much slower than others it learns.
        bias: what it starts with.
        active: whether a leaky ReLU follows.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        rate: float = 1.0,
        bias: float = 0.0,
        active: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self._weight_gain, self._bias_gain = rate / math.sqrt(inputs), rate
        self._active = active

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs.

        Shape:
            - x: ``(N, inputs)``; returns ``(N, outputs)``.
        """
        bias = self.bias * self._bias_gain
        if self._active:
            return activated(x @ (self.weight * self._weight_gain).T, bias)
        return torch.addmm(bias, x, (self.weight * self._weight_gain).T)


class MappingNetwork(nn.Module):
    """Maps latents z to w, whose mean over z it keeps as ``w_avg`` (section 2)."""

    w_avg: Tensor

    def __init__(self, *, z_dim: int, w_dim: int, num_layers: int, rate: float = 0.01) -> None:
        super().__init__()
        self.num_layers = num_layers
        sizes = [z_dim] + [w_dim] * num_layers
        for number in range(num_layers):
            layer = FullyConnected(sizes[number], sizes[number + 1], rate=rate, active=True)
            self.add_module(f"fc{number}", layer)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor) -> Tensor:
        """Return w.

        Shape:
            - z: ``(N, z_dim)``, of N(0, 1); returns ``(N, w_dim)``.
        """
        w = normalised(z)
        for number in range(self.num_layers):
            w = getattr(self, f"fc{number}")(w)
        return w

    @torch.no_grad()
    def follow(self, w: Tensor, *, keep: float = 0.998) -> None:
        """Move ``w_avg`` towards the mean of a batch."""
        self.w_avg.copy_(w.detach().float().mean(dim=0).lerp(self.w_avg, keep))


class SynthesisLayer(nn.Module):
    """A modulated and demodulated convolution, noise, bias and leaky ReLU (figure 2d)."""

    noise_const: Tensor

    def __init__(
        self, inputs: int, outputs: int, *, w_dim: int, resolution: int, up: int = 1
    ) -> None:
        super().__init__()
        self._up = up
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the next feature map.

        Scaling the inputs by the styles and the outputs by the demodulation is the same as
        scaling the weights (section 2.2), and needs no weights of its own for every picture.

        Shape:
            - x: ``(N, I, H, W)``; w: ``(N, w_dim)``.
            - noise: ``(N, 1, H * up, W * up)``; the layer's own if None.
        """
        styles = self.affine(w)
        scale = demodulation(self.weight, styles)
        x = x * styles[:, :, None, None]
        if self._up == 1:
            x = functional.conv2d(x, self.weight, padding=1)
        else:
            x = functional.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = filtered(x, padding=(1, 1), gain=4.0)
        noise = self.noise_const if noise is None else noise
        return activated(x * scale[:, :, None, None] + noise * self.noise_strength, self.bias)


class ToRgb(nn.Module):
    """A modulated convolution of 1 x 1 to colours, not demodulated."""

    def __init__(self, inputs: int, *, w_dim: int) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self._gain = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return what a resolution adds to the picture.

        Shape:
            - x: ``(N, I, H, W)``; returns ``(N, 3, H, W)``.
        """
        styles = self.affine(w) * self._gain
        colours = functional.conv2d(x * styles[:, :, None, None], self.weight)
        return colours + self.bias.view(1, 3, 1, 1)


class SynthesisBlock(nn.Module):
    """One resolution: two layers (one at 4 x 4) and what they add to the picture."""

    def __init__(self, inputs: int, outputs: int, *, w_dim: int, resolution: int) -> None:
        super().__init__()
        self.first = inputs == 0
        if self.first:
            self.const = nn.Parameter(torch.randn(outputs, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim=w_dim, resolution=resolution, up=2)
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim=w_dim, resolution=resolution)
        self.torgb = ToRgb(outputs, w_dim=w_dim)

    @property
    def num_conv(self) -> int:
        """Layers that take a style and noise, without the one for colours."""
        return 1 if self.first else 2

    def forward(
        self, x: Tensor, picture: Tensor | None, ws: Tensor, noises: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        """Return the next feature map and the picture so far.

        Shape:
            - ws: ``(N, num_conv + 1, w_dim)``; the last one is for the colours.
        """
        if self.first:
            x = self.const.unsqueeze(0).expand(len(ws), -1, -1, -1)
        else:
            x = self.conv0(x, ws[:, 0], noises[0])
        x = self.conv1(x, ws[:, self.num_conv - 1], noises[-1])
        colours: Tensor = self.torgb(x, ws[:, self.num_conv])
        if picture is not None:
            colours = colours + filtered(picture, up=2, padding=(2, 1), gain=4.0)
        return x, colours


class SynthesisNetwork(nn.Module):
    """Makes pictures of w, one for each layer."""

    def __init__(self, *, w_dim: int, resolution: int, channels: Mapping[int, int]) -> None:
        super().__init__()
        self.resolutions = resolutions(resolution)
        self.num_ws = 2 * len(self.resolutions)
        inputs = 0
        for size in self.resolutions:
            block = SynthesisBlock(inputs, channels[size], w_dim=w_dim, resolution=size)
            self.add_module(f"b{size}", block)
            inputs = channels[size]

    @property
    def noise_sizes(self) -> tuple[int, ...]:
        """Side of every layer's noise, in their order."""
        return tuple(
            size for size in self.resolutions for _ in range(1 if size == LEAST_RESOLUTION else 2)
        )

    def forward(self, ws: Tensor, noises: Sequence[Tensor | None] | None = None) -> Tensor:
        """Return pictures.

        Shape:
            - ws: ``(N, num_ws, w_dim)``.
            - noises: each ``(N, 1, size, size)``, by ``noise_sizes``; the layers' own if None.
            - returns: ``(N, 3, resolution, resolution)``, about [-1, 1].
        """
        given = list(noises) if noises is not None else [None] * len(self.noise_sizes)
        x, picture, place, noise_place = ws, None, 0, 0
        for size in self.resolutions:
            block: SynthesisBlock = getattr(self, f"b{size}")
            count = block.num_conv
            # A block's colours and the next block's first layer share a style.
            styles = ws[:, place : place + count + 1]
            x, picture = block(x, picture, styles, given[noise_place : noise_place + count])
            place, noise_place = place + count, noise_place + count
        assert isinstance(picture, Tensor)
        return picture


class StyleGan2(nn.Module):
    """The generator.

    Args:
        z_dim: of latents.
        w_dim: of what they are mapped to.
        resolution: of the pictures, a power of 2.
        channels: of the feature maps, by resolution; JSON has its keys as text.
        num_layers: of the mapping.
    """

    def __init__(
        self,
        *,
        z_dim: int,
        w_dim: int,
        resolution: int,
        channels: Mapping[Any, int],
        num_layers: int = 8,
    ) -> None:
        super().__init__()
        widths = {int(size): width for size, width in channels.items()}
        self.z_dim, self.w_dim, self.resolution = z_dim, w_dim, resolution
        self.mapping = MappingNetwork(z_dim=z_dim, w_dim=w_dim, num_layers=num_layers)
        self.synthesis = SynthesisNetwork(w_dim=w_dim, resolution=resolution, channels=widths)

    @property
    def num_ws(self) -> int:
        """Styles of a picture, coarse to fine."""
        return self.synthesis.num_ws

    def styles(
        self, z: Tensor, *, truncation_psi: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Return ``w_avg + psi * (w - w_avg)`` for the layers before the cutoff, w for others.

        Karras et al., CVPR 2019, appendix B. At psi = 0 every latent has the styles ``w_avg``.

        Shape:
            - z: ``(N, z_dim)``; returns ``(N, num_ws, w_dim)``.
        """
        ws: Tensor = self.mapping(z).unsqueeze(1).expand(-1, self.num_ws, -1)
        if truncation_psi == 1:
            return ws
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        near: Tensor = self.mapping.w_avg.lerp(ws[:, :cutoff], truncation_psi)
        return torch.cat([near, ws[:, cutoff:]], dim=1)

    def forward(
        self, z: Tensor, *, truncation_psi: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Return pictures, with the layers' own noise.

        Shape:
            - z: ``(N, z_dim)``; returns ``(N, 3, resolution, resolution)``, about [-1, 1].
        """
        ws = self.styles(z, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        pictures: Tensor = self.synthesis(ws)
        return pictures


def resolutions(resolution: int) -> tuple[int, ...]:
    """Return the resolutions up to one, each twice the one before.

    Raises:
        ValueError: it is no power of 2, or below 4.
    """
    if resolution < LEAST_RESOLUTION or resolution & (resolution - 1):
        raise ValueError(f"a resolution is a power of 2 from 4, not {resolution}")
    return tuple(2**power for power in range(2, resolution.bit_length()))


def style_mixed(coarse: Tensor, fine: Tensor, *, crossover: int) -> Tensor:
    """Return one picture's styles before a layer, and another's from there on.

    Karras et al., CVPR 2019, section 3.1.

    Shape:
        - coarse, fine: ``(N, num_ws, w_dim)``; returns the same.
    """
    return torch.cat([coarse[:, :crossover], fine[:, crossover:]], dim=1)
