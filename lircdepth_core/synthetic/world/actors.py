# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The bodies of a street and the solids that they are made of, as columns of tensors."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Actors:
    """A rigid bodies; each moves at constant speed and turn rate (0 for what stands). float64 on the CPU.

    category, attribute: A nuScenes names each ("" for scenery, which is not annotated). size: [A, 3] length, width,
    height [m]. position: [A, 3] of the footprint's centre at time 0 [m]. yaw: [A] at time 0 [rad]. speed: [A] along
    yaw [m/s]. yaw_rate: [A] [rad/s]. rcs: [A] mean radar cross section [dBsm].
    """

    category: tuple[str, ...]
    attribute: tuple[str, ...]
    size: torch.Tensor
    position: torch.Tensor
    yaw: torch.Tensor
    speed: torch.Tensor
    yaw_rate: torch.Tensor
    rcs: torch.Tensor

    def at(self, time: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return position [A, 3] (centre of the footprint), yaw [A] and velocity [A, 3] at a time [s]."""
        half_turn = 0.5 * self.yaw_rate * time
        chord = self.speed * time * torch.sinc(half_turn / torch.pi)
        middle = self.yaw + half_turn
        zero = torch.zeros_like(chord)
        moved = torch.stack([chord * torch.cos(middle), chord * torch.sin(middle), zero], dim=1)
        yaw = self.yaw + self.yaw_rate * time
        velocity = torch.stack([self.speed * torch.cos(yaw), self.speed * torch.sin(yaw), zero], dim=1)
        return self.position + moved, yaw, velocity


@dataclass(frozen=True)
class Parts:
    """The K solids that the actors are made of: one row for each ``parts.Part``.

    owner: [K] index of the actor. kind: [K] see primitives. offset: [K, 3] of the solid's centre in the actor's frame.
    half: [K, 3] half sizes. rotation: [K, 3, 3], whose columns are the solid's axes in the actor's frame. slopes:
    [K, 3] see primitives. colour: [K, 3] in 0..1. material: [K] see parts.Material. variant: [K] in 0..1.
    """

    owner: torch.Tensor
    kind: torch.Tensor
    offset: torch.Tensor
    half: torch.Tensor
    rotation: torch.Tensor
    slopes: torch.Tensor
    colour: torch.Tensor
    material: torch.Tensor
    variant: torch.Tensor

    def to(self, device: torch.device | str) -> "Parts":
        """Return the same on a device."""
        return Parts(*(values.to(device) for values in vars(self).values()))

    def __getitem__(self, index: torch.Tensor) -> "Parts":
        """Return the rows ``index``."""
        return Parts(*(values[index] for values in vars(self).values()))
