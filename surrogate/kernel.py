"""The kernel of the Gaussian processes: what each input does by itself, and what all do together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mesoforge.surrogate.door import GammaPrior, GreaterThan, Kernel, LogNormalPrior, NormalPrior

LEAST, LEAST_JOINT = 0.025, 0.2
"""Of the unit cube's side: lengths below are noise. In several inputs points lie far apart, so that with a joint length
of a tenth each stands alone, and its luck would be learned as a function."""
NOISE = LogNormalPrior(-2.0, 1.5)
"""Of the noise's variance over the output's: electrodes of small volumes scatter by a tenth to a half of what they vary
by, which BoTorch's own prior, of median 0.02, has to be talked into."""
NOISE_OF_FEW = LogNormalPrior(-4.0, 1.0)
"""The same where each of several sizes has its own: few are of the size that counts, and would be taken for noise."""
LEAST_NOISE, FIRST_NOISE = 1e-4, math.exp(-5)  # the search for it begins with little
MAIN_LENGTH = LogNormalPrior(0.0, 0.75)
MAIN_SCALE, JOINT_SCALE = GammaPrior(2.0, 1.0), GammaPrior(1.2, 1.0)
LIKENESS = NormalPrior(1.0, 0.5)
OWN_SCALE, SHIFT = GammaPrior(1.2, 2.0), GammaPrior(2.0, 2.0)
SQUARE_ROOT_2 = math.sqrt(2)


class Effects(Kernel):  # type: ignore[misc]
    """k(x, x') = s mean_i exp(-(x_i - x'_i)^2 / 2 l_i^2) + S exp(-sum_i (x_i - x'_i)^2 / 2 L_i^2).

    The first term learns each input's own effect from few points wherever they lie (an additive process, Duvenaud et
    al. 2011), the second whatever inputs do only together; the likelihood weighs them. The priors of L widen with the
    square root of the number of inputs (Hvarfner et al. 2024). For an input that is one of several choices the squared
    difference is 0 for the same choice and 1 for any other.
    """

    def __init__(self, inputs: int, categories: Sequence[int] = (), least_joint: float | None = None) -> None:
        super().__init__()
        self._categories = {axis: count for axis, count in enumerate(categories) if count}
        joint = LogNormalPrior(SQUARE_ROOT_2 + math.log(inputs) / 2, math.sqrt(3))
        self._learn("main_length", torch.full((1, inputs), 0.7), MAIN_LENGTH, LEAST)
        # Points that lie LEAST apart along one input lie so far apart where as many fill all inputs.
        apart = min(LEAST_JOINT, LEAST ** (1 / inputs)) if least_joint is None else least_joint
        self._learn("joint_length", torch.full((1, inputs), float(joint.mode)), joint, apart)
        self._learn("main_scale", torch.tensor([1.0]), MAIN_SCALE, 1e-4)
        self._learn("joint_scale", torch.tensor([0.3]), JOINT_SCALE, 1e-4)

    def _learn(self, name: str, start: Tensor, prior: object, least: float) -> None:
        self.register_parameter(name, torch.nn.Parameter(start.double()))
        self.register_constraint(name, GreaterThan(least, transform=None))
        self.register_prior(f"{name}_prior", prior, lambda kernel: getattr(kernel, name), None)

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:  # noqa: ANN401
        """Return the covariance (..., n, k) of points x1 (..., n, d) and x2 (..., k, d); with ``diag`` row by row."""
        main, joint = x1.new_zeros(()), x1.new_zeros(())
        for axis in range(x1.shape[-1]):  # one by one: all inputs' squares at once would fill the driver's memory
            square = self._square(axis, *((x1, x2) if diag else (x1.unsqueeze(-2), x2.unsqueeze(-3))))
            main = main + torch.exp(square / self.main_length[0, axis] ** 2)
            joint = joint + square / self.joint_length[0, axis] ** 2
        covariance: Tensor = self.main_scale / x1.shape[-1] * main + self.joint_scale * torch.exp(joint)
        return covariance

    def _square(self, axis: int, one: Tensor, other: Tensor) -> Tensor:
        """Return minus half the squared difference in one input, of choices 1 where they differ."""
        one, other = one[..., axis], other[..., axis]
        if axis not in self._categories:
            return (one - other) ** 2 / -2
        count = self._categories[axis]
        first, second = (torch.clamp((x * count).floor(), max=count - 1) for x in (one, other))
        return (first != second).to(one) / -2 + 0 * (one - other)  # slopes exist: 0, also where all inputs are choices


class Levels(Kernel):  # type: ignore[misc]
    """Cov(f_l(x), f_l'(x')) = (a_l a_l' + [l = l'] s_l) k(x, x') + [l = l'] b_l, with a_0 = 1 and s_0 = b_0 = 0.

    What is to be foretold is f_0, with the kernel k that it has where nothing is like it. A cheaper likeness, of level
    l, follows it by the factor a_l, differs from it by a function of its own, of s_l times its variance, and by a
    constant, of variance b_l: Kennedy and O'Hagan's autoregression (2000) written from its dear end, or the intrinsic
    model of coregionalization with a shift. The level is the last coordinate of a point.
    """

    def __init__(self, inner: Effects, cheaper: int) -> None:
        super().__init__()
        self.inner = inner
        for name, start, prior, least in (
            ("likeness", 1.0, LIKENESS, None),
            ("own_scale", 0.1, OWN_SCALE, 1e-6),
            ("shift_scale", 0.5, SHIFT, 1e-6),
        ):
            self.register_parameter(name, torch.nn.Parameter(torch.full((cheaper,), start).double()))
            self.register_prior(f"{name}_prior", prior, name)
            if least is not None:
                self.register_constraint(name, GreaterThan(least, transform=None))

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:  # noqa: ANN401
        """Return the covariance (..., n, k) of points x1 (..., n, d + 1) and x2 (..., k, d + 1), as `Effects` does."""
        one, other = (x[..., -1].round().long() for x in (x1, x2))
        one, other = (one, other) if diag else (one.unsqueeze(-1), other.unsqueeze(-2))
        same = (one == other).to(x1)
        a, s, b = (self._by_level(*each) for each in ((1, self.likeness), (0, self.own_scale), (0, self.shift_scale)))
        alike = self.inner.forward(x1[..., :-1], x2[..., :-1], diag=diag)
        covariance: Tensor = (a[one] * a[other] + same * s[one]) * alike + same * b[one]
        return covariance

    def _by_level(self, target: float, others: Tensor) -> Tensor:
        return torch.cat([others.new_full((1,), target), others])
