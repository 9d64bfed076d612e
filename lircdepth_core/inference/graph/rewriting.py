# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network as inference runs it: the same function, with less work and less memory.

Depth changes by rounding alone: in float64 it agrees with the plain network to 1e-9 m.

- Batch norms are folded into the convolutions before them.
- Transposed convolutions of stride 1 become convolutions, their kernels flipped. Depthwise ones of stride 2 become four
  convolutions, one for each parity of row and column, whose results are projected before they are interleaved.
- The last convolution, to one channel, computes 4x4 pixels at a time as 16 channels: libraries compute 16 channels in
  the time of one.
- An up-block ends in a linear 1x1 convolution. Where the next block begins with another one, over a concatenation,
  their product replaces both if it needs fewer multiplications (before upconv4 and upconv3); the inter-depth head that
  reads the same map becomes a product as well. Layers that nothing reads after that are dropped.
- The maps inside a block have six times its channels (1.1 GB at 1152 channels and 1/4 of 896x1600 in float32, with
  their neighbours): blocks run in strips of rows, so that these maps never exist in full and stay in the cache.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lircdepth_core.inference.graph.folding import (
    as_convolution,
    convolution_of,
    fold_batch_norms,
    folded,
    product,
)
from lircdepth_core.models.common.interface import check_input_size
from lircdepth_core.models.lircdepth import Decoder, LiRCDepth, UpBlock

VERSION = 2  # part of the key of everything that is kept on disk; to be raised when the rewritten network changes
# Modules of a rewritten network that need float32: the biases of the image encoder's fine scales are large beside the
# variation in its maps, and rounding one shifts a whole map.
SENSITIVE = tuple(f"encoder.base_model.{index}" for index in range(6))
_STRIP_NUMBERS = 2**23  # of a hidden map that exist at a time
_PATCH_PX = 4  # pixels, either way, that the last convolution computes at a time


def rewritten(network: nn.Module) -> nn.Module:
    """Return a module whose forward(image, radar) gives the depth [N, 1, H, W] of ``network`` alone.

    network: in eval mode, on the CPU; it is left as it is. Networks other than LiRCDepth only lose their other outputs.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    made = _DepthNetwork(network) if isinstance(network, LiRCDepth) else _DepthAlone(network)
    return made.eval()


class _DepthAlone(nn.Module):
    """A network without its other outputs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, radar: Tensor) -> Tensor:
        depth: Tensor = self.network(image, radar).depth
        return depth


class _DepthNetwork(nn.Module):
    """LiRCDepth, rewritten. The network that it is made from cannot be used afterwards."""

    def __init__(self, network: LiRCDepth) -> None:
        super().__init__()
        decoder = network.decoder
        self.max_depth = network.max_depth
        self.encoder = fold_batch_norms(network.encoder)
        self.encoder_radar = fold_batch_norms(network.encoder_radar)
        self.radar_affinities = decoder.conv_radar
        parts = [
            [_Block.of(block) for block in part]
            for part in (decoder.upconv5, decoder.upconv4, decoder.upconv3, decoder.upconv2)
        ]
        heads = [_only_convolution(head) for head in (decoder.scale8, decoder.scale4, decoder.scale2)]
        for before, after, head in zip(parts[:-1], parts[1:], [None, *heads[:2]], strict=True):
            _merge(before[-1], after[0], head)
        self.parts = nn.ModuleList(nn.Sequential(*part) for part in parts)
        self.heads = nn.ModuleList(heads)
        self.tail = _Tail(decoder)

    def forward(self, image: Tensor, radar: Tensor) -> Tensor:
        if not torch.compiler.is_compiling() and not torch.jit.is_tracing():
            check_input_size(image, radar)
        fused = [
            image_map + affinity(radar_map)
            for image_map, radar_map, affinity in zip(
                self.encoder(image), self.encoder_radar(radar), self.radar_affinities, strict=True
            )
        ]
        x = self.parts[0](fused[4])
        inter_depth = []
        for part, head, skip in zip(self.parts[1:], self.heads, fused[3:0:-1], strict=True):
            x = part(torch.cat([x, skip], dim=1))
            inter_depth.append(functional.relu(head(x)))
        depth: Tensor = self.tail(torch.cat([x, fused[0]], dim=1), *inter_depth) * self.max_depth
        return depth


class _Block(nn.Module):
    """An UpBlock: expand (1x1), spread (3x3, depthwise, of stride 1 or 2), project (1x1), in strips of rows.

    project is None where it was merged into the next layer.
    """

    def __init__(self, expand: nn.Conv2d, spread: nn.Conv2d | nn.ConvTranspose2d, project: nn.Conv2d) -> None:
        super().__init__()
        self.hidden = spread.in_channels
        self.expand = expand
        self.project: nn.Conv2d | None = project
        self.spread: nn.Conv2d | _Doubling
        if isinstance(spread, nn.ConvTranspose2d):
            self.stride, self.spread = 2, _Doubling(spread)
        else:
            self.stride, self.spread = 1, spread

    @classmethod
    def of(cls, block: nn.Module) -> "_Block":
        """Return the block that does what an UpBlock does."""
        if not isinstance(block, UpBlock):
            raise TypeError(f"cannot rewrite {type(block).__name__}, expected UpBlock")
        expand, spread, project = (
            folded(as_convolution(layer[0]), layer[1])
            for layer in (block.expansion_layer, block.depthwise_layer_transpose, block.pointwise_layer_transpose)
        )
        if not isinstance(expand, nn.Conv2d) or not isinstance(project, nn.Conv2d):
            raise TypeError("cannot rewrite an UpBlock whose 1x1 layers have a stride")
        return cls(expand, spread, project)

    def forward(self, x: Tensor) -> Tensor:
        return in_strips(self._strip, (x,), self.stride, 1, max(1, _STRIP_NUMBERS // (self.hidden * x.shape[3])))

    def _strip(self, x: Tensor) -> Tensor:
        hidden = functional.relu6(self.expand(x), inplace=True)
        if isinstance(self.spread, _Doubling):
            doubled: Tensor = self.spread(hidden, self._project)
            return doubled
        return self._project(self.spread(hidden))

    def _project(self, hidden: Tensor) -> Tensor:
        hidden = functional.relu6(hidden, inplace=True)
        if self.project is None:
            return hidden
        projected: Tensor = self.project(hidden)
        return projected


class _Doubling(nn.Module):
    """A depthwise 3x3 transposed convolution of stride 2, to twice the size, as four convolutions.

    With a kernel w, output 2i is w[1] x[i] and output 2i + 1 is w[2] x[i] + w[0] x[i + 1], in rows as in columns.
    """

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        weight = layer.weight.detach()
        self.parities = nn.ModuleList(
            convolution_of(weight[:, :, rows][..., columns].contiguous(), layer.bias, weight.dtype, groups=layer.groups)
            for rows in ([1], [2, 0])
            for columns in ([1], [2, 0])
        )

    def forward(self, x: Tensor, each: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the doubled map of x [N, C, H, W] after ``each``, which is applied to every pixel by itself."""
        parts = []
        for index, convolution in enumerate(self.parities):
            below, right = divmod(index, 2)
            parts.append(each(convolution(functional.pad(x, (0, right, 0, below)) if index else x)))
        count, channels, height, width = parts[0].shape
        if torch.jit.is_tracing() or torch.compiler.is_compiling():  # operators that other runtimes have, too
            grid = torch.cat(parts, dim=1).reshape(count, 2, 2, channels, height, width)
            return grid.permute(0, 3, 4, 1, 5, 2).reshape(count, channels, 2 * height, 2 * width)
        doubled = x.new_empty(count, channels, 2 * height, 2 * width).to(memory_format=torch.channels_last)
        for index, part in enumerate(parts):
            below, right = divmod(index, 2)
            doubled[:, :, below::2, right::2] = part
        return doubled


class _Tail(nn.Module):
    """The end of the decoder, from 1/2 scale to depth in units of max_depth, in strips of rows."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.up, self.head = decoder.upconv1[0], decoder.scale1
        self.conv, self.get_depth = decoder.conv1, _in_patches(_only_convolution(decoder.get_depth))
        first = _only_convolution(decoder.conv1)
        self._channels = first.in_channels + first.out_channels

    def forward(self, x: Tensor, depth8: Tensor, depth4: Tensor, depth2: Tensor) -> Tensor:
        # At the scale of x, so that a strip of each map is a range of rows; the strip does the last doubling itself.
        scaled = [
            functional.interpolate(depth, scale_factor=factor, mode="nearest")
            for depth, factor in ((depth8, 4.0), (depth4, 2.0))
        ]
        inter_depth = torch.cat([*scaled, depth2], dim=1)
        rows = max(1, _STRIP_NUMBERS // (self._channels * 4 * x.shape[3]) // 2) * 2  # whole patches
        return in_strips(self._strip, (x, inter_depth), 2, 2, rows)

    def _strip(self, x: Tensor, inter_depth: Tensor) -> Tensor:
        up = self.up(x)
        inter_depth = functional.interpolate(inter_depth, scale_factor=2.0, mode="nearest")
        patches = self.get_depth(self.conv(torch.cat([up, inter_depth, self.head(up)], dim=1)))
        return torch.sigmoid(functional.pixel_shuffle(patches, _PATCH_PX))


def _only_convolution(layers: nn.Sequential) -> nn.Conv2d:
    """Return the convolution with which a sequence of it and an activation begins."""
    convolution = layers[0]
    if not isinstance(convolution, nn.Conv2d):
        raise TypeError(f"cannot rewrite {type(convolution).__name__}, expected Conv2d")
    return convolution


def _in_patches(layer: nn.Conv2d) -> nn.Conv2d:
    """Return a convolution of stride _PATCH_PX to _PATCH_PX^2 channels whose pixel_shuffle is the result of ``layer``.

    layer: 3x3, to one channel, without bias.
    """
    weight = layer.weight.detach()
    channels, size = weight.shape[1], _PATCH_PX + 2
    made = weight.new_zeros(_PATCH_PX, _PATCH_PX, channels, size, size)
    for row in range(_PATCH_PX):
        for column in range(_PATCH_PX):
            made[row, column, :, row : row + 3, column : column + 3] = weight[0]
    return convolution_of(made.flatten(0, 1), None, weight.dtype, stride=_PATCH_PX, padding=1)


def _merge(before: _Block, after: _Block, head: nn.Conv2d | None) -> None:
    """Let ``after`` read the hidden map of ``before`` instead of its projection, where that saves multiplications.

    ``after`` reads a concatenation that begins with the result of ``before``. head: a 1x1 convolution that reads the
    result of ``before``, too, or None.
    """
    project, expand = before.project, after.expand
    if project is None:
        return
    narrow, hidden = project.out_channels, project.in_channels
    if hidden * expand.out_channels >= narrow * (hidden + expand.out_channels):
        return
    before.project = None
    after.expand = product(expand, project)
    if head is not None:
        merged = product(head, project)
        head.in_channels, head.weight, head.bias = merged.in_channels, merged.weight, merged.bias


def in_strips(function: Callable[..., Tensor], inputs: Sequence[Tensor], scale: int, margin: int, rows: int) -> Tensor:
    """Return function(*inputs), computed ``rows`` rows of the inputs at a time.

    inputs: [N, C, H, W] of one size. function: returns [N, C', scale H, scale W]; each row of its result depends on the
    corresponding row of the inputs and on ``margin`` rows above and below it.
    """
    height = inputs[0].shape[2]
    # Graphs that are traced or compiled hold whole maps: strips gain nothing there (OpenVINO at 896x1600: within 5 %),
    # and the graph must not depend on a size. So do maps on a GPU, for which a strip is too little work.
    if torch.jit.is_tracing() or torch.compiler.is_compiling() or not inputs[0].is_cpu or rows >= height:
        return function(*inputs)
    strips = []
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, last = max(top - margin, 0), min(bottom + margin, height)
        strip = function(*(x[:, :, first:last] for x in inputs))
        strips.append(strip[:, :, (top - first) * scale : (bottom - first) * scale])
    return torch.cat(strips, dim=2)
