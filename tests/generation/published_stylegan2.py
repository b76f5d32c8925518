"""Tiny StyleGAN2 generators as the two programs that publish them define theirs, written anew.

Names of parameters, their shapes, scales, kernels and order are those of NVIDIA's
stylegan2-ada-pytorch (``training/networks.py``) and of rosinality's stylegan2-pytorch
(``model.py``); nothing of ours is used.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = {4: 6, 8: 5, 16: 3}
Z, W, LAYERS = 7, 8, 3
TAPS = [1.0, 3.0, 3.0, 1.0]


def upfirdn(x: Tensor, kernel: Tensor, *, up: int, pad: tuple[int, int], gain: float) -> Tensor:
    """Return pictures spread out, padded and convolved: the kernel is turned, as both do."""
    count, channels, height, width = x.shape
    large = x.new_zeros(count, channels, height * up, width * up)
    large[:, :, ::up, ::up] = x
    large = functional.pad(large, (*pad, *pad)).flatten(0, 1)[:, None]
    found = functional.conv2d(large, (kernel * gain).flip(0, 1)[None, None])
    return found.view(count, channels, *found.shape[-2:])


class NvidiaDense(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, act: bool = False, lr: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.randn(outputs))
        self.gains, self.act = (lr / math.sqrt(inputs), lr), act

    def forward(self, x: Tensor) -> Tensor:
        x = x @ (self.weight * self.gains[0]).t() + self.bias * self.gains[1]
        return functional.leaky_relu(x, 0.2) * math.sqrt(2) if self.act else x


def nvidia_modulated(
    x: Tensor, weight: Tensor, styles: Tensor, kernel: Tensor, *, up: int, demodulate: bool = True
) -> Tensor:
    w = weight[None] * styles[:, None, :, None, None]
    if demodulate:
        w = w * (w.square().sum(dim=[2, 3, 4]) + 1e-8).rsqrt()[:, :, None, None, None]
    made = []
    for each, own in zip(x, w, strict=True):
        if up == 1:
            made.append(functional.conv2d(each[None], own, padding=own.shape[-1] // 2))
        else:
            # conv2d_resample: a transposed convolution, with the kernel as it is, then the filter.
            wide = functional.conv_transpose2d(each[None], own.transpose(0, 1), stride=2)
            made.append(upfirdn(wide, kernel, up=1, pad=(1, 1), gain=4.0))
    return torch.cat(made)


class NvidiaLayer(nn.Module):
    noise_const: Tensor
    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, *, resolution: int, up: int = 1) -> None:
        super().__init__()
        self.up = up
        self.affine = NvidiaDense(W, inputs)
        self.register_buffer("resample_filter", nvidia_filter())
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.randn([]))
        self.bias = nn.Parameter(torch.randn(outputs))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        styles = self.affine(w)
        x = nvidia_modulated(x, self.weight, styles, self.resample_filter, up=self.up)
        x = x + self.noise_const * self.noise_strength + self.bias[None, :, None, None]
        return functional.leaky_relu(x, 0.2) * math.sqrt(2)


class NvidiaRgb(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.affine = NvidiaDense(W, inputs)
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        styles = self.affine(w) / math.sqrt(self.weight.shape[1])
        made = nvidia_modulated(x, self.weight, styles, x, up=1, demodulate=False)
        return made + self.bias[None, :, None, None]


class NvidiaBlock(nn.Module):
    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, *, resolution: int) -> None:
        super().__init__()
        self.register_buffer("resample_filter", nvidia_filter())
        if inputs:
            self.conv0 = NvidiaLayer(inputs, outputs, resolution=resolution, up=2)
        else:
            self.const = nn.Parameter(torch.randn(outputs, resolution, resolution))
        self.conv1 = NvidiaLayer(outputs, outputs, resolution=resolution)
        self.torgb = NvidiaRgb(outputs)
        self.num_conv = 2 if inputs else 1

    def forward(self, x: Tensor | None, img: Tensor | None, ws: Tensor) -> tuple[Tensor, Tensor]:
        w_iter = iter(ws.unbind(dim=1))
        if x is None:
            x = self.const[None].repeat([len(ws), 1, 1, 1])
        else:
            x = self.conv0(x, next(w_iter))
        x = self.conv1(x, next(w_iter))
        y: Tensor = self.torgb(x, next(w_iter))
        if img is not None:
            y = upfirdn(img, self.resample_filter, up=2, pad=(2, 1), gain=4.0) + y
        assert isinstance(x, Tensor)
        return x, y


class NvidiaMapping(nn.Module):
    w_avg: Tensor

    def __init__(self) -> None:
        super().__init__()
        for number in range(LAYERS):
            layer = NvidiaDense(W if number else Z, W, act=True, lr=0.01)
            setattr(self, f"fc{number}", layer)
        self.register_buffer("w_avg", torch.randn(W))


class NvidiaSynthesis(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        before = 0
        for size, channels in CHANNELS.items():
            setattr(self, f"b{size}", NvidiaBlock(before, channels, resolution=size))
            before = channels


class NvidiaGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.synthesis = NvidiaSynthesis()
        self.mapping = NvidiaMapping()

    def forward(self, z: Tensor, *, psi: float = 1.0) -> Tensor:
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for number in range(LAYERS):
            x = getattr(self.mapping, f"fc{number}")(x)
        ws = self.mapping.w_avg.lerp(x, psi)[:, None].repeat(1, 2 * len(CHANNELS), 1)
        feature: Tensor | None = None
        img: Tensor | None = None
        place = 0
        for size in CHANNELS:
            block: NvidiaBlock = getattr(self.synthesis, f"b{size}")
            feature, img = block(feature, img, ws.narrow(1, place, block.num_conv + 1))
            place += block.num_conv
        assert img is not None
        return img


def nvidia_filter() -> Tensor:
    taps = torch.tensor(TAPS)
    return torch.outer(taps, taps) / taps.sum() ** 2


class RosinalityLinear(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, act: bool = False, lr_mul: float = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs).div_(lr_mul))
        self.bias = nn.Parameter(torch.randn(outputs))
        self.scale, self.lr_mul, self.act = (1 / math.sqrt(inputs)) * lr_mul, lr_mul, act

    def forward(self, x: Tensor) -> Tensor:
        out = functional.linear(x, self.weight * self.scale, self.bias * self.lr_mul)
        return functional.leaky_relu(out, 0.2) * 2**0.5 if self.act else out


class RosinalityNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(torch.mean(x**2, dim=1, keepdim=True) + 1e-8)


class RosinalityBlur(nn.Module):
    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", nvidia_filter() * 4)


class RosinalityConv(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, upsample: bool, demodulate: bool
    ) -> None:
        super().__init__()
        if upsample:
            self.blur = RosinalityBlur()
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel, kernel))
        self.modulation = RosinalityLinear(W, inputs)
        self.upsample, self.demodulate = upsample, demodulate

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        batch, inputs, height, width = x.shape
        weight = self.scale * self.weight * self.modulation(style).view(batch, 1, inputs, 1, 1)
        outputs, kernel = weight.shape[1], weight.shape[-1]
        if self.demodulate:
            demod = torch.rsqrt(weight.pow(2).sum([2, 3, 4]) + 1e-8)
            weight = weight * demod.view(batch, outputs, 1, 1, 1)
        x = x.reshape(1, batch * inputs, height, width)
        if not self.upsample:
            weight = weight.view(batch * outputs, inputs, kernel, kernel)
            out = functional.conv2d(x, weight, padding=kernel // 2, groups=batch)
            return out.view(batch, outputs, height, width)
        weight = weight.transpose(1, 2).reshape(batch * inputs, outputs, kernel, kernel)
        out = functional.conv_transpose2d(x, weight, padding=0, stride=2, groups=batch)
        out = out.view(batch, outputs, *out.shape[-2:])
        return upfirdn(out, self.blur.kernel, up=1, pad=(1, 1), gain=1.0)


class RosinalityNoise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1))

    def forward(self, image: Tensor, noise: Tensor) -> Tensor:
        return image + self.weight * noise


class RosinalityActivate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x + self.bias.view(1, -1, 1, 1), 0.2) * 2**0.5


class RosinalityStyled(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, upsample: bool = False) -> None:
        super().__init__()
        self.conv = RosinalityConv(inputs, outputs, 3, upsample=upsample, demodulate=True)
        self.noise = RosinalityNoise()
        self.activate = RosinalityActivate(outputs)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        made: Tensor = self.activate(self.noise(self.conv(x, style), noise))
        return made


class RosinalityRgb(nn.Module):
    def __init__(self, inputs: int, *, upsample: bool = True) -> None:
        super().__init__()
        if upsample:
            self.upsample = RosinalityBlur()
        self.conv = RosinalityConv(inputs, 3, 1, upsample=False, demodulate=False)
        self.bias = nn.Parameter(torch.randn(1, 3, 1, 1))

    def forward(self, x: Tensor, style: Tensor, skip: Tensor | None = None) -> Tensor:
        out: Tensor = self.conv(x, style) + self.bias
        if skip is None:
            return out
        return out + upfirdn(skip, self.upsample.kernel, up=2, pad=(2, 1), gain=1.0)


class RosinalityInput(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


class RosinalityGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        mapping = [RosinalityLinear(W, W, act=True, lr_mul=0.01) for _ in range(LAYERS)]
        self.style = nn.Sequential(RosinalityNorm(), *mapping)
        first = CHANNELS[4]
        self.input = RosinalityInput(first)
        self.conv1 = RosinalityStyled(first, first)
        self.to_rgb1 = RosinalityRgb(first, upsample=False)
        self.convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        self.noises = nn.Module()
        for number in range(2 * len(CHANNELS) - 1):
            side = 2 ** ((number + 5) // 2)
            self.noises.register_buffer(f"noise_{number}", torch.randn(1, 1, side, side))
        before = first
        for channels in [*CHANNELS.values()][1:]:
            self.convs.append(RosinalityStyled(before, channels, upsample=True))
            self.convs.append(RosinalityStyled(channels, channels))
            self.to_rgbs.append(RosinalityRgb(channels))
            before = channels

    def forward(self, z: Tensor, *, average: Tensor, psi: float = 1.0) -> Tensor:
        style = average + psi * (self.style(z) - average)
        latent = style[:, None].repeat(1, 2 * len(CHANNELS), 1)
        noise = [getattr(self.noises, f"noise_{i}") for i in range(2 * len(CHANNELS) - 1)]
        out = self.input.input.repeat(len(z), 1, 1, 1)
        out = self.conv1(out, latent[:, 0], noise[0])
        skip: Tensor = self.to_rgb1(out, latent[:, 1])
        layers = zip(
            self.convs[::2], self.convs[1::2], noise[1::2], noise[2::2], self.to_rgbs, strict=True
        )
        for i, (conv1, conv2, noise1, noise2, to_rgb) in enumerate(layers):
            out = conv1(out, latent[:, 2 * i + 1], noise1)
            out = conv2(out, latent[:, 2 * i + 2], noise2)
            skip = to_rgb(out, latent[:, 2 * i + 3], skip)
        return skip


def persistent(network: nn.Module, kept: type[Any]) -> Any:  # noqa: ANN401 - what pickles as theirs
    """Return a module as NVIDIA's pickles hold it: attributes, and the text of its program."""
    attributes: Mapping[str, Any] = vars(network)
    inner = {name: persistent(each, kept) for name, each in network.named_children()}
    return kept({**attributes, "_modules": inner})
