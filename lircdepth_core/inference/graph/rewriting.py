# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network as inference runs it: the same function, with less work and less memory.

Nothing here changes depth but for rounding: in float64 it agrees with the plain network to 1e-9 m.

- Batch norms are folded into the convolutions before them.
- Transposed convolutions of stride 1 become convolutions, their kernels flipped; depthwise ones of stride 2, four
  convolutions, one for each parity of row and column, whose results are projected before they are interleaved.
- The last convolution, to one channel, computes 4x4 pixels at a time as 16 channels: others compute 16 for one.
- An up-block ends in a linear 1x1 convolution. Where the next block begins with another, over a concatenation, their
  product takes the place of both if it needs fewer multiplications (before upconv4 and upconv3), and so does the
  inter-depth head that reads the same map. What nothing reads after that is dropped.
- The maps inside a block have six times its channels (1.1 GB at 1152 channels and 1/4 of 896x1600 in float32, with
  their neighbours): blocks run in strips of rows, so that they never exist in full and stay in the cache.
"""

import copy

import torch
from torch import nn
from torch.nn import functional

from lircdepth_core.models.interface import check_input_size
from lircdepth_core.models.lircdepth import LiRCDepth, UpBlock

VERSION = 2  # part of the key of everything that is kept on disk; to be raised with each change of this file
# Modules of a rewritten network that do not bear few bits: the biases of the image encoder's fine scales are large
# beside what varies in its maps, and to round one shifts a whole map.
SENSITIVE = tuple(f"encoder.base_model.{index}" for index in range(6))
_STRIP = 2**23  # numbers of a hidden map that exist at a time
_PATCH = 4  # pixels, either way, that the last convolution computes at a time


def rewritten(network):
    """Return a module whose forward(image, radar) gives the depth [N, 1, H, W] of ``network`` alone.

    network: in eval mode, on the CPU; it is left as it is. Other networks than LiRCDepth only lose their other outputs.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    return (_DepthNetwork if isinstance(network, LiRCDepth) else _DepthAlone)(network).eval()


class _DepthAlone(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image, radar):
        return self.network(image, radar).depth


class _DepthNetwork(nn.Module):
    """LiRCDepth, rewritten; takes the network apart."""

    def __init__(self, network):
        super().__init__()
        decoder = network.decoder
        self.max_depth = network.max_depth
        self.encoder = fold(network.encoder)
        self.encoder_radar = fold(network.encoder_radar)
        self.radar_affinities = decoder.conv_radar
        parts = [[_Block.of(block) for block in part] for part in (
            decoder.upconv5, decoder.upconv4, decoder.upconv3, decoder.upconv2)]  # fmt: skip
        heads = [head[0] for head in (decoder.scale8, decoder.scale4, decoder.scale2)]
        for before, after, head in zip(parts[:-1], parts[1:], [None, *heads[:2]], strict=True):
            _merge(before[-1], after[0], head)
        self.parts = nn.ModuleList(nn.Sequential(*part) for part in parts)
        self.heads = nn.ModuleList(heads)
        self.tail = _Tail(decoder)

    def forward(self, image, radar):
        if not torch.compiler.is_compiling() and not torch.jit.is_tracing():
            check_input_size(image, radar)
        fused = [
            image + affinity(radar)
            for image, radar, affinity in zip(
                self.encoder(image), self.encoder_radar(radar), self.radar_affinities, strict=True
            )
        ]
        x = self.parts[0](fused[4])
        inter_depth = []
        for part, head, skip in zip(self.parts[1:], self.heads, fused[3:0:-1], strict=True):
            x = part(torch.cat([x, skip], dim=1))
            inter_depth.append(functional.relu(head(x)))
        return self.tail(torch.cat([x, fused[0]], dim=1), *inter_depth) * self.max_depth


class _Block(nn.Module):
    """An UpBlock: expand (1x1), spread (3x3, depthwise, of stride 1 or 2), project (1x1), in strips of rows.

    project is None where it was merged into what comes next.
    """

    def __init__(self, expand, spread, project):
        super().__init__()
        self.hidden, self.stride = spread.in_channels, spread.stride[0]
        self.expand, self.project = expand, project
        self.spread = _Doubling(spread) if self.stride == 2 else spread

    @classmethod
    def of(cls, block: UpBlock):
        layers = (block.expansion_layer, block.depthwise_layer_transpose, block.pointwise_layer_transpose)
        return cls(*(_folded(as_convolution(layer[0]), layer[1]) for layer in layers))

    def forward(self, x):
        return in_strips(self._strip, (x,), self.stride, 1, max(1, _STRIP // (self.hidden * x.shape[3])))

    def _strip(self, x):
        hidden = functional.relu6(self.expand(x), inplace=True)
        return self.spread(hidden, self._project) if self.stride == 2 else self._project(self.spread(hidden))

    def _project(self, hidden):
        hidden = functional.relu6(hidden, inplace=True)
        return hidden if self.project is None else self.project(hidden)


class _Doubling(nn.Module):
    """A depthwise 3x3 transposed convolution of stride 2, to twice the size, as four convolutions.

    With a kernel w, output 2i is w[1] x[i] and output 2i + 1 is w[2] x[i] + w[0] x[i + 1], in rows as in columns.
    """

    def __init__(self, layer):
        super().__init__()
        weight = layer.weight.detach()
        self.parities = nn.ModuleList(
            _convolution(weight[:, :, rows][..., columns].contiguous(), layer.bias, weight.dtype, groups=layer.groups)
            for rows in ([1], [2, 0])
            for columns in ([1], [2, 0])
        )

    def forward(self, x, each):
        """Return the doubled map of x [N, C, H, W] after ``each``, which is done to every pixel on its own."""
        parts = []
        for index, convolution in enumerate(self.parities):
            below, right = divmod(index, 2)
            parts.append(each(convolution(functional.pad(x, (0, right, 0, below)) if index else x)))
        count, channels, height, width = parts[0].shape
        if torch.jit.is_tracing() or torch.compiler.is_compiling():  # a graph that other runtimes know by its name
            grid = torch.cat(parts, dim=1).reshape(count, 2, 2, channels, height, width)
            return grid.permute(0, 3, 4, 1, 5, 2).reshape(count, channels, 2 * height, 2 * width)
        doubled = x.new_empty(count, channels, 2 * height, 2 * width).to(memory_format=torch.channels_last)
        for index, part in enumerate(parts):
            below, right = divmod(index, 2)
            doubled[:, :, below::2, right::2] = part
        return doubled


def _in_patches(layer):
    """Return a 3x3 convolution to one channel, without bias, as one to _PATCH^2 channels of stride _PATCH, whose
    pixel_shuffle it is.
    """
    weight = layer.weight.detach()
    channels, size = weight.shape[1], _PATCH + 2
    made = weight.new_zeros(_PATCH, _PATCH, channels, size, size)
    for row in range(_PATCH):
        for column in range(_PATCH):
            made[row, column, :, row : row + 3, column : column + 3] = weight[0]
    return _convolution(made.flatten(0, 1), None, weight.dtype, stride=_PATCH, padding=1)


class _Tail(nn.Module):
    """The end of the decoder, from 1/2 scale to depth in units of max_depth, in strips of rows."""

    def __init__(self, decoder):
        super().__init__()
        self.up, self.head = decoder.upconv1[0], decoder.scale1
        self.conv, self.get_depth = decoder.conv1, _in_patches(decoder.get_depth[0])

    def forward(self, x, depth8, depth4, depth2):
        # At the scale of x, so that a strip of all is a range of rows; the last doubling is the strip's own.
        inter_depth = [
            functional.interpolate(depth, scale_factor=factor, mode="nearest")
            for depth, factor in ((depth8, 4.0), (depth4, 2.0))
        ]
        inter_depth = torch.cat([*inter_depth, depth2], dim=1)
        wide = (self.conv[0].in_channels + self.conv[0].out_channels) * 4 * x.shape[3]
        rows = max(1, _STRIP // wide // 2) * 2  # whole patches
        return in_strips(self._strip, (x, inter_depth), 2, 2, rows)

    def _strip(self, x, inter_depth):
        up = self.up(x)
        inter_depth = functional.interpolate(inter_depth, scale_factor=2.0, mode="nearest")
        patches = self.get_depth(self.conv(torch.cat([up, inter_depth, self.head(up)], dim=1)))
        return torch.sigmoid(functional.pixel_shuffle(patches, _PATCH))


def in_strips(function, inputs, scale, margin, rows):
    """Return function(*inputs), computed ``rows`` rows of the inputs at a time.

    inputs: [N, C, H, W] of one size. function: local in its rows, [N, C', scale H, scale W]; what it reads beyond its
    own rows is within ``margin`` rows of the inputs.
    """
    height = inputs[0].shape[2]
    # Whole maps for what compiles the graph, which strips gain nothing (OpenVINO at 896x1600: within 5 %) and which
    # must not depend on a size; and on a GPU, where a strip is too little work.
    if torch.jit.is_tracing() or torch.compiler.is_compiling() or not inputs[0].is_cpu or rows >= height:
        return function(*inputs)
    strips = []
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, last = max(top - margin, 0), min(bottom + margin, height)
        strip = function(*(x[:, :, first:last] for x in inputs))
        strips.append(strip[:, :, (top - first) * scale : (bottom - first) * scale])
    return torch.cat(strips, dim=2)


def _merge(before, after, head):
    """Let ``after`` read what ``before`` projects from, where that saves multiplications.

    before, after: _Blocks; ``after`` reads a concatenation that begins with what ``before`` gives. head: a 1x1
    convolution that reads it too, or None.
    """
    project, expand = before.project, after.expand
    narrow, hidden = project.out_channels, project.in_channels
    if hidden * expand.out_channels >= narrow * (hidden + expand.out_channels):
        return
    before.project = None
    after.expand = _product(expand, project)
    if head is not None:
        merged = _product(head, project)
        head.in_channels, head.weight, head.bias = merged.in_channels, merged.weight, merged.bias


def _product(second, first):
    """The 1x1 convolution that is ``second`` after ``first``, which gives the leading channels that second reads."""
    weight = second.weight.double()[:, :, 0, 0]
    read, rest = weight[:, : first.out_channels], weight[:, first.out_channels :]
    merged = torch.cat([read @ first.weight.double()[:, :, 0, 0], rest], dim=1)
    bias = read @ first.bias.double() + (0 if second.bias is None else second.bias.double())
    return _convolution(merged[:, :, None, None], bias, second.weight.dtype)


def _convolution(weight, bias, dtype, **options):
    groups = options.get("groups", 1)
    made = nn.Conv2d(weight.shape[1] * groups, weight.shape[0], weight.shape[2:], **options)
    made.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    made.bias = None if bias is None else nn.Parameter(bias.to(dtype), requires_grad=False)
    return made


def as_convolution(layer):
    """Return a transposed convolution of stride 1 as a convolution; any other layer as it is.

    It is dense or depthwise.
    """
    if not isinstance(layer, nn.ConvTranspose2d) or layer.stride != (1, 1):
        return layer
    weight = layer.weight.detach().flip(2, 3)
    if layer.groups == 1:
        weight = weight.transpose(0, 1)
    padding = tuple(size - 1 - pad for size, pad in zip(layer.kernel_size, layer.padding, strict=True))
    return _convolution(weight.contiguous(), layer.bias, weight.dtype, padding=padding, groups=layer.groups)


def fold(module):
    """Fold each batch norm that directly follows a convolution in an nn.Sequential into it, in place; return module."""
    for child in module.children():
        fold(child)
    if isinstance(module, nn.Sequential):
        layers = []
        for layer in module:
            if isinstance(layer, nn.BatchNorm2d) and layers and isinstance(layers[-1], nn.Conv2d):
                layers[-1] = _folded(layers[-1], layer)
            else:
                layers.append(layer)
        # Not the container's own class: Conv2dNormActivation would build its layers anew.
        for name in list(module._modules):
            del module._modules[name]
        for index, layer in enumerate(layers):
            module.add_module(str(index), layer)
    return module


def _folded(convolution, norm):
    """Return a copy of a convolution, transposed only if depthwise, with a batch norm's running statistics in it."""
    factor = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    folded = copy.deepcopy(convolution)
    dtype = convolution.weight.dtype
    weight = convolution.weight.double() * factor[:, None, None, None]  # depthwise: one row for each channel
    bias = norm.bias.double() - norm.running_mean.double() * factor
    if convolution.bias is not None:
        bias = bias + convolution.bias.double() * factor
    folded.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    folded.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    return folded
