# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Each loss is the paper's equation, written down here pixel by pixel in float64; its gradient is checked, too."""

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from lircdepth_core.errors import LircDepthError
from lircdepth_core.losses import (
    CoarseDepthLoss,
    ConfidenceLoss,
    DepthTruth,
    FeatureLoss,
    InterDepthLoss,
    L1DepthLoss,
    Reliability,
    RenderedDepthLoss,
    SmoothnessLoss,
    StructureLoss,
    StudentLoss,
    TeacherLoss,
    Uncertainty,
    UncertaintyRectifiedDepthLoss,
    confidence_label,
)
from lircdepth_core.losses.distillation import similarity_difference
from lircdepth_core.models.common.interface import DepthOutput, TeacherOutput

SIZE = (2, 1, 5, 6)


@pytest.fixture
def random():
    return torch.Generator().manual_seed(11)


def uniform(random, *shape, low=0.0, high=1.0):
    return low + (high - low) * torch.rand(*shape, generator=random, dtype=torch.float64)


def sparse(random, share, *shape):
    depth = uniform(random, *shape, low=2.0, high=80.0)
    return torch.where(uniform(random, *shape) < share, depth, 0.0)


def scalar_uncertainty(p, t, beta=0.2):
    return 1 - math.exp(-abs(p - t) / (beta * abs(p + t)))


def naive_urdl(prediction, dense, single, exclusive=False):
    sums, counts = [0.0, 0.0], [0, 0]
    for p, d, s in zip(*(x.flatten().tolist() for x in (prediction, dense, single)), strict=True):
        exp_d, exp_s = math.exp(scalar_uncertainty(p, d)), math.exp(scalar_uncertainty(p, s))
        if d > 0 and not (exclusive and s > 0):
            sums[0] += exp_d / (exp_d + exp_s) * abs(p - d)
            counts[0] += 1
        if s > 0:
            sums[1] += exp_s / (exp_d + exp_s) * abs(p - s)
            counts[1] += 1
    return sums[0] / counts[0] + sums[1] / counts[1]


def naive_similarity_difference(student, teacher):
    """The definition: all pairs of pixels."""
    total = 0.0
    for s, t in zip(student.flatten(2).numpy(), teacher.flatten(2).numpy(), strict=True):
        s, t = (x / np.linalg.norm(x, axis=0) for x in (s, t))
        pairs = [(s[:, p] @ s[:, q] - t[:, p] @ t[:, q]) ** 2 for p in range(s.shape[1]) for q in range(s.shape[1])]
        total += sum(pairs) / len(pairs)
    return total / len(student)


def test_uncertainty_is_equation_4(random):
    prediction, target = uniform(random, 40, high=80), uniform(random, 40, high=80)
    expected = [scalar_uncertainty(p, t) for p, t in zip(prediction.tolist(), target.tolist(), strict=True)]
    assert Uncertainty()(prediction, target).tolist() == pytest.approx(expected, rel=1e-12)
    assert float(Uncertainty()(torch.zeros(1), torch.zeros(1))) == 0.0
    assert float(Uncertainty()(torch.tensor(30.0), torch.tensor(0.0))) == pytest.approx(1 - math.exp(-5))


@pytest.mark.parametrize("exclusive", [False, True])
def test_urdl_is_equation_6(random, exclusive):
    prediction, dense, single = (
        uniform(random, *SIZE, low=1, high=90),
        sparse(random, 0.7, *SIZE),
        sparse(random, 0.3, *SIZE),
    )
    loss = UncertaintyRectifiedDepthLoss(exclusive=exclusive)
    expected = naive_urdl(prediction, dense, single, exclusive)
    assert float(loss(prediction, dense, single)) == pytest.approx(expected, rel=1e-12)
    prediction.requires_grad_(True)
    assert gradcheck(lambda p: loss(p, dense, single), prediction)


def test_a_pixel_with_accumulated_depth_alone_weighs_between_027_and_a_half():
    """Without a single scan, U is computed against depth 0 there."""
    loss = UncertaintyRectifiedDepthLoss()
    dense, single = torch.full((1, 1, 1, 1), 20.0), torch.zeros(1, 1, 1, 1)
    near, far = (float(loss(torch.full((1, 1, 1, 1), p), dense, single)) / abs(p - 20.0) for p in (20.001, 100.0))
    assert near == pytest.approx(1 / (1 + math.exp(1 - math.exp(-5))), abs=1e-3)
    assert 0.27 < near < far < 0.5


def test_l1_and_coarse_depth_average_over_their_valid_pixels(random):
    prediction, dense, single = (
        uniform(random, *SIZE, high=90),
        sparse(random, 0.7, *SIZE),
        sparse(random, 0.3, *SIZE),
    )
    means = [
        np.mean([abs(p - t) for p, t in zip(prediction.flatten().tolist(), truth.flatten().tolist(), strict=True) if t])
        for truth in (dense, single)
    ]
    assert float(L1DepthLoss()(prediction, dense, single)) == pytest.approx(sum(means), rel=1e-12)
    assert float(CoarseDepthLoss()(prediction, dense)) == pytest.approx(means[0], rel=1e-12)
    prediction.requires_grad_(True)
    assert gradcheck(lambda p: L1DepthLoss()(p, dense, single), prediction)


def test_a_batch_without_any_truth_has_loss_and_gradient_zero():
    nothing = torch.zeros(SIZE)
    for loss in (UncertaintyRectifiedDepthLoss(), L1DepthLoss()):
        prediction = torch.full(SIZE, 10.0, requires_grad=True)
        value = loss(prediction, nothing, nothing)
        value.backward()
        assert value.item() == 0.0
        assert not prediction.grad.any()


def test_smoothness_is_the_mean_slope_outside_image_edges(random):
    depth, image = uniform(random, 2, 1, 4, 5, high=80), uniform(random, 2, 3, 4, 5, low=-2, high=2)
    d, i = depth[:, 0].numpy(), image.numpy()
    in_x = [
        abs(d[n, y, x + 1] - d[n, y, x]) * math.exp(-np.mean(np.abs(i[n, :, y, x + 1] - i[n, :, y, x])))
        for n in range(2)
        for y in range(4)
        for x in range(4)
    ]
    in_y = [
        abs(d[n, y + 1, x] - d[n, y, x]) * math.exp(-np.mean(np.abs(i[n, :, y + 1, x] - i[n, :, y, x])))
        for n in range(2)
        for y in range(3)
        for x in range(5)
    ]
    assert float(SmoothnessLoss()(depth, image)) == pytest.approx(np.mean(in_x) + np.mean(in_y), rel=1e-12)
    depth.requires_grad_(True)
    assert gradcheck(lambda p: SmoothnessLoss()(p, image), depth)


def test_feature_loss_is_equation_1_with_the_finest_scale_weighing_half(random):
    shapes = [(2, 3, 8, 8), (2, 4, 4, 4), (2, 5, 2, 2)]
    student = [uniform(random, *s, low=-1).requires_grad_(True) for s in shapes]
    teacher = [uniform(random, *s, low=-1) for s in shapes]
    expected = sum(
        weight * np.abs(s.detach().numpy() - t.numpy()).mean()
        for weight, s, t in zip((1 / 2, 1 / 4, 1 / 8), student, teacher, strict=True)
    )
    assert float(FeatureLoss()(student, teacher)) == pytest.approx(expected, rel=1e-12)
    assert gradcheck(lambda *s: FeatureLoss()(s, teacher), student)


def test_features_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"student feature 1 is \(1, 8, 4, 4\), the teacher's \(1, 9, 4, 4\)"):
        FeatureLoss()([torch.zeros(1, 8, 4, 4)], [torch.zeros(1, 9, 4, 4)])


@pytest.mark.parametrize("distance", [1.0, 1e-2, 1e-5, 1e-8])
def test_structure_loss_equals_the_pair_matrix(random, distance):
    """1 is unrelated features, 1e-8 nearly equal ones, where the Gram form loses every digit."""
    teacher = uniform(random, 2, 7, 4, 6, low=-1)
    student = teacher * (1 - distance) + distance * uniform(random, 2, 7, 4, 6, low=-1)
    expected = naive_similarity_difference(student, teacher)
    assert float(similarity_difference(student, teacher)) == pytest.approx(expected, rel=1e-6)
    in_float32 = float(similarity_difference(student.float(), teacher.float()))
    # Near equality the inputs' own rounding remains: 6e-8 of their size in each of 7 channels.
    assert in_float32 == pytest.approx(
        naive_similarity_difference(student.float().double(), teacher.float().double()), rel=1e-4, abs=1e-13
    )


def test_structure_loss_weighs_the_finest_scale_most_and_grad_checks(random):
    shapes = [(1, 6, 2, 3), (1, 4, 4, 6)]  # coarse to fine, as the networks return them
    student = [uniform(random, *s, low=-1).requires_grad_(True) for s in shapes]
    teacher = [uniform(random, *s, low=-1) for s in shapes]
    parts = [naive_similarity_difference(s.detach(), t) for s, t in zip(student, teacher, strict=True)]
    assert float(StructureLoss()(student, teacher)) == pytest.approx(parts[1] / 2 + parts[0] / 4, rel=1e-9)
    assert gradcheck(lambda *s: StructureLoss()(s, teacher), student)


def test_the_pooled_variant_compares_a_grid_of_maxima(random):
    student, teacher = uniform(random, 1, 4, 12, 12), uniform(random, 1, 4, 12, 12)
    pooled = [x.reshape(1, 4, 6, 2, 6, 2).amax(dim=(3, 5)) for x in (student, teacher)]
    expected = naive_similarity_difference(*pooled) / 2
    assert float(StructureLoss(pool=6)([student], [teacher])) == pytest.approx(expected, rel=1e-9)


def test_a_pixel_without_any_feature_keeps_the_gradient_finite():
    """After a ReLU whole feature vectors are zero: they have no direction."""
    student = torch.zeros(1, 4, 3, 3)
    student[..., 0] = torch.rand(1, 4, 3)
    student.requires_grad_(True)
    StructureLoss()([student], [torch.rand(1, 4, 3, 3)]).backward()
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("uncertainty", [True, False])
def test_inter_depth_is_equation_5_where_the_teacher_is_finite_and_in_range(random, uncertainty):
    student = [uniform(random, 1, 1, 4, 6) for _ in range(3)]
    teacher = [uniform(random, 1, 1, 4, 6, low=0.05) for _ in range(3)]
    teacher[0][0, 0, 0, :5] = torch.tensor([math.inf, -math.inf, math.nan, -0.3, 24.6])
    teacher[1][0, 0, 3, 3] = 0.0
    expected = 0.0
    for weight, s, t in zip((1 / 8, 1 / 4, 1 / 2), student, teacher, strict=True):  # from 1/8, 1/4, 1/2
        errors = [
            (scalar_uncertainty(a, b) if uncertainty else 1.0) * abs(a - b)
            for a, b in zip(s.flatten().tolist(), t.flatten().tolist(), strict=True)
            if math.isfinite(b) and 0 < b <= 1
        ]
        expected += weight * np.mean(errors)
    loss = InterDepthLoss(uncertainty=uncertainty)
    assert float(loss(student, teacher)) == pytest.approx(expected, rel=1e-12)
    for s in student:
        s.requires_grad_(True)
    assert gradcheck(lambda *s: loss(list(s), teacher), student)


def test_confidence_loss_is_the_cross_entropy_of_known_pixels(random):
    confidence = uniform(random, *SIZE, low=0.02, high=0.98)
    label = torch.randint(-1, 2, SIZE, generator=random).double()
    expected = np.mean(
        [
            -math.log(c if known else 1 - c)
            for c, known in zip(confidence.flatten().tolist(), label.flatten().tolist(), strict=True)
            if known >= 0
        ]
    )
    assert float(ConfidenceLoss()(confidence, label)) == pytest.approx(expected, rel=1e-12)
    confidence.requires_grad_(True)
    assert gradcheck(lambda c: ConfidenceLoss()(c, label), confidence)
    certain = torch.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    ConfidenceLoss()(certain, torch.tensor([1.0, 0.0, 0.0, 1.0])).backward()
    assert torch.isfinite(certain.grad).all()


def test_a_return_labels_what_is_near_its_depth_in_its_box_or_around_it():
    radar, dense = torch.zeros(240, 700), torch.full((240, 700), 30.0)
    radar[100, 300] = 20.0
    dense[40:60, 100:600] = 20.3  # of these rows the first ten are out of reach
    dense[200, 0] = 0.0
    label = confidence_label(radar, dense)
    expected = torch.zeros(240, 700)
    expected[50:60, 150:451] = 1.0
    expected[200, 0] = -1.0
    assert torch.equal(label, expected)

    dense[:] = 20.39
    label = confidence_label(
        radar,
        dense,
        boxes=[
            (90, 110, 290, 310, 19.5, 24.0),
            (0, 240, 0, 700, 5.0, 60.0),
            (0, 9, 0, 9, 5.0, 60.0),
            (98, 102, 298, 302, 30.0, 34.0),
        ],
    )
    expected = torch.zeros(240, 700)
    expected[90:110, 290:310] = 1.0  # the smallest box that holds the return, in depth too
    assert torch.equal(label, expected)


def outputs(random):
    """A student's and a teacher's output of 32x32 with the networks' shapes, few channels."""

    def maps(sizes):
        return [uniform(random, 1, 3, n, n) for n in sizes]

    def depths():
        return [uniform(random, 1, 1, 32, 32, low=0.1) for _ in range(3)]

    fine, coarse = (16, 8, 4, 2, 1), (2, 4, 8, 16, 32)
    depth = uniform(random, 1, 1, 32, 32, low=1, high=80)
    student = DepthOutput(depth, depths(), maps(fine), maps(fine), maps(coarse))
    teacher = TeacherOutput(depth, depths(), maps(fine), maps(fine), maps(coarse), uniform(random, 1, 1, 32, 32), depth)
    return student, teacher


def test_the_students_total_is_equation_7(random):
    student, teacher = outputs(random)
    image = uniform(random, 1, 3, 32, 32)
    dense, single = sparse(random, 0.6, 1, 1, 32, 32), sparse(random, 0.2, 1, 1, 32, 32)
    terms = StudentLoss()(student, teacher, image, DepthTruth(dense, single))
    expected = {
        "depth": naive_urdl(student.depth, dense, single),
        "smoothness": float(SmoothnessLoss()(student.depth, image)),
        "image": float(FeatureLoss()(student.image_features, teacher.image_features)),
        "radar": float(FeatureLoss()(student.radar_features, teacher.radar_features)),
        "structure": float(StructureLoss()(student.decoder_features, teacher.decoder_features)),
        "inter_depth": float(InterDepthLoss()(student.inter_depth, teacher.inter_depth)),
    }
    total = sum(value * (0.001 if name == "smoothness" else 1) for name, value in expected.items())
    assert {name: float(value) for name, value in terms.items()} == pytest.approx(expected | {"total": total})

    without = StudentLoss(image=0, radar=0, structure=0, inter_depth=0)
    assert not without.distils
    terms = without(student, None, image, DepthTruth(dense, single))
    assert terms.keys() == {"total", "depth", "smoothness"}
    only = StudentLoss(image=0, radar=0, structure=2.0, inter_depth=0, smoothness=0)
    assert only.distils
    total = float(only(student, teacher, image, DepthTruth(dense, single))["total"])
    assert total == pytest.approx(expected["depth"] + 2 * expected["structure"])


def test_the_teachers_total_weighs_coarse_depth_half(random):
    _, teacher = outputs(random)
    image, dense, single = (uniform(random, 1, 3, 32, 32), *(sparse(random, s, 1, 1, 32, 32) for s in (0.6, 0.2)))
    label = torch.where(dense > 0, 1.0, -1.0).double()
    terms = TeacherLoss(depth_loss="l1")(teacher, image, DepthTruth(dense, single), label)
    assert float(terms["total"]) == pytest.approx(
        float(terms["depth"] + terms["confidence"] + 0.5 * terms["coarse_depth"] + 0.001 * terms["smoothness"])
    )
    assert float(terms["depth"]) == pytest.approx(float(L1DepthLoss()(teacher.depth, dense, single)))
    with pytest.raises(LircDepthError, match="expected urdl, l1, rendered"):
        TeacherLoss(depth_loss="huber")


def test_half_precision_features_are_summed_in_float32():
    """In bfloat16 the mean of a million differences of 1 would stop at 256."""
    ones = torch.ones(1, 1, 1024, 1024, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert float(FeatureLoss()([ones], [ones * 0])) == 0.5
        losses = [
            float(StructureLoss()([x.repeat(1, 3, 1, 1)[..., :64]], [ones.repeat(1, 3, 1, 1)[..., :64]]))
            for x in (ones, -ones)
        ]
    assert losses == [0.0, 0.0]


def test_the_loss_on_rendered_depth_is_its_three_errors_pixel_by_pixel(random):
    prediction = uniform(random, *SIZE, low=1, high=120)
    truth = uniform(random, *SIZE, low=1, high=90)
    truth[0, 0, 0, :3] = 255.0  # the sky: it counts as if it stood at 100 m
    truth[1, 0, 2, 2] = 0.0  # not known
    at = np.minimum(truth.numpy(), 100.0)[:, 0]
    out, known = prediction.numpy()[:, 0], truth.numpy()[:, 0] > 0
    log, linear, steps = [], [], []
    for n, i, j in np.ndindex(out.shape):
        if not known[n, i, j]:
            continue
        log.append(abs(math.log(out[n, i, j]) - math.log(at[n, i, j])))
        linear.append(abs(out[n, i, j] - at[n, i, j]))
    total = 5 * np.mean(log) + 0.1 * np.mean(linear)
    for down, right in ((1, 0), (0, 1)):
        steps = [
            abs(
                math.log(out[n, i + down, j + right] / out[n, i, j])
                - math.log(at[n, i + down, j + right] / at[n, i, j])
            )
            for n, i, j in np.ndindex(2, 5 - down, 6 - right)
            if known[n, i, j] and known[n, i + down, j + right]
        ]
        total += 2 * np.mean(steps)
    assert float(RenderedDepthLoss()(prediction, truth)) == pytest.approx(total)
    # A second scale compares every other pixel with its neighbour there; the mean over scales is taken.
    one, two = (RenderedDepthLoss(0, 0, 1, scales) for scales in (1, 2))
    half = one(prediction[..., ::2, ::2], truth[..., ::2, ::2])
    assert float(two(prediction, truth)) == pytest.approx(float(one(prediction, truth) + half) / 2)
    assert gradcheck(lambda depth: RenderedDepthLoss(scales=2)(depth, truth), prediction.requires_grad_())
    assert float(RenderedDepthLoss()(prediction, truth * 0)) == 0.0


def test_rendered_depth_trains_student_and_teacher_and_asks_for_what_is_missing(random):
    student, teacher = outputs(random)
    image, label = uniform(random, 1, 3, 32, 32), torch.ones(1, 1, 32, 32)
    rendered = uniform(random, 1, 1, 32, 32, low=1, high=255)
    options = {"depth_loss": "rendered", "log": 1.0, "linear": 0.5, "gradient": 0.0, "max_depth": 50.0}
    loss = StudentLoss(image=0, radar=0, structure=0, inter_depth=0, **options)
    expected = float(RenderedDepthLoss(1.0, 0.5, 0.0, max_depth=50.0)(student.depth, rendered))
    assert float(loss(student, None, image, DepthTruth(rendered=rendered))["depth"]) == pytest.approx(expected)
    terms = TeacherLoss(**options)(teacher, image, DepthTruth(rendered=rendered), label)
    assert float(terms["depth"]) == pytest.approx(expected)
    coarse = (teacher.coarse_depth - rendered.clamp(max=50.0)).abs().mean()
    assert float(terms["coarse_depth"]) == pytest.approx(float(coarse))
    with pytest.raises(LircDepthError, match="no 'rendered' depth"):
        loss(student, None, image, DepthTruth(rendered, rendered))
    with pytest.raises(LircDepthError, match="no lidar depth"):
        StudentLoss()(student, teacher, image, DepthTruth(rendered=rendered))


@pytest.mark.parametrize(("error_scale", "fall_back"), [(0.1, False), (None, True), (0.3, True)])
def test_a_teacher_weighs_by_its_own_error_and_nothing_where_the_student_is_better(random, error_scale, fall_back):
    student, teacher = (uniform(random, *SIZE, low=1.0, high=60.0) for _ in range(2))
    truth = sparse(random, 0.6, *SIZE)
    expected = []
    for s, t, d in zip(*(x.flatten().tolist() for x in (student, teacher, truth)), strict=True):
        weight = math.exp(-abs(t - d) / d / error_scale) if error_scale and d else 1.0
        expected.append(0.0 if fall_back and d and abs(t - d) > abs(s - d) else weight)
    found = Reliability(error_scale, fall_back).weights(student, teacher, truth)
    assert found.flatten().tolist() == pytest.approx(expected)
    assert len(set(expected)) > 1
    assert Reliability().weights(student, teacher, truth) is None
    with pytest.raises(LircDepthError, match="teacher_error_scale 0"):
        Reliability(0.0)


def test_remedies_are_switches_of_the_students_loss(random):
    student, teacher = outputs(random)
    image = uniform(random, 1, 3, 32, 32)
    dense, single = sparse(random, 0.6, 1, 1, 32, 32), sparse(random, 0.2, 1, 1, 32, 32)
    truth = DepthTruth(dense, single)
    student = student._replace(depth=uniform(random, 1, 1, 32, 32, low=1.0, high=60.0).requires_grad_())
    terms = StudentLoss(teacher_depth=0.5, teacher_error_scale=0.2, fall_back=True)(student, teacher, image, truth)
    published = StudentLoss()(student, teacher, image, truth)

    labels = torch.where(single > 0, single, dense)
    trust = Reliability(0.2, True).weights(student.depth, teacher.depth, labels)
    inter_depth = InterDepthLoss()(student.inter_depth, teacher.inter_depth, trust)
    assert float(inter_depth) < 0.9 * float(published["inter_depth"])
    there = torch.where(labels > 0, 0.0, teacher.depth)
    of_teacher = RenderedDepthLoss()(student.depth, there)
    assert float(terms["inter_depth"]) == pytest.approx(float(inter_depth))
    assert float(terms["teacher_depth"]) == pytest.approx(float(of_teacher))
    total = published["total"] - published["inter_depth"] + inter_depth + 0.5 * of_teacher
    assert float(terms["total"]) == pytest.approx(float(total))

    only = StudentLoss(image=0, radar=0, structure=0, inter_depth=0, teacher_depth=1.0, linear=1.0, log=0, gradient=0)
    assert only.distils
    (slope,) = torch.autograd.grad(only(student, teacher, image, truth)["teacher_depth"], student.depth)
    assert bool(((slope != 0) <= (labels == 0)).all())  # labelled pixels learn from lidar alone
    assert float((slope != 0).double().mean()) > 0.2
