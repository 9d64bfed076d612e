# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Loss terms of one's own, by the paths of their classes."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lircdepth_core.errors import LircDepthError
from lircdepth_core.models.common.interface import DepthOutput, TeacherOutput
from lircdepth_core.packages import import_class

_WEIGHT = "weight"


class OwnTerms(nn.Module):
    """Terms that are added to the loss of a student or of a teacher.

    terms: {path of a class: its weight}, or in the place of the weight {"weight": W} with arguments of the class's
    constructor. A term of weight 0 is not made. Such a class is an nn.Module without parameters, whose
    ``forward(output, teacher, batch)`` returns a scalar; the output is that of the network that learns. Raises
    LircDepthError for what is no such class.
    """

    def __init__(self, terms: Mapping[str, Any]) -> None:
        super().__init__()
        made = {path: _made(path, options) for path, options in terms.items()}
        self.weights = {path: weight for path, (weight, term) in made.items() if term is not None}
        # In a list, since the name of a submodule must not have dots.
        self.terms = nn.ModuleList(term for _, term in made.values() if term is not None)

    def added(
        self,
        values: dict[str, Tensor],
        output: DepthOutput | TeacherOutput,
        teacher: TeacherOutput | None,
        batch: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the values of a loss with those of these terms, before their weights, and with their total.

        output: of the network that learns. teacher: of what teaches it, or None. batch: see data.frame, stacked. Raises
        LircDepthError where a term is no scalar.
        """
        values = dict(values)
        for (path, weight), term in zip(self.weights.items(), self.terms, strict=True):
            value = term(output, teacher, batch)
            if not isinstance(value, Tensor) or value.dim():
                found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise LircDepthError(f"loss term {path} returned {found}, expected a tensor without dimensions")
            values[path] = value
            values["total"] = values["total"] + weight * value
        return values


def _made(path: str, options: Any) -> tuple[float, nn.Module | None]:
    """Return (weight, the term, or None where it weighs nothing)."""
    arguments = dict(options) if isinstance(options, Mapping) else {_WEIGHT: options}
    weight = arguments.pop(_WEIGHT, None)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise LircDepthError(f"loss term {path}: its weight is {weight!r}, expected a number")
    if weight == 0:
        return 0.0, None
    try:
        term = import_class("loss term", path, nn.Module)(**arguments)
    except TypeError as error:
        raise LircDepthError(f"loss term {path}: {error}") from error
    if any(True for _ in term.parameters()):
        raise LircDepthError(f"loss term {path} has parameters, which would not be trained: put them into the network")
    return float(weight), term
