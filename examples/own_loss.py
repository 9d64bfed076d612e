# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A loss of one's own: a class with one method more, and a line of YAML or of the command line.

export PYTHONPATH=examples
lircdepth train fit -c training/synthetic_small/student.yaml --model own_loss.RelativeStudent --model.relative 0.5
"""

from lircdepth_core.training.modules import StudentModule


class RelativeStudent(StudentModule):
    """The student with one more term: the relative error at the points of the lidar scan. relative: its weight."""

    def __init__(self, relative: float = 1.0, **options):
        super().__init__(**options)
        self.recipe["relative"] = self.relative = relative  # weights will say so

    def more_terms(self, output, batch):
        """Return what is added to the loss, by name: each is logged as train/NAME."""
        truth = batch["single"]
        known = truth > 0
        error = (output.depth - truth).abs() / truth.clamp(min=1.0)
        return {"relative": self.relative * error[known].mean()}
