"""The one door to torch and its Gaussian processes: their import, their threads, their seeds and their warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mesoforge.surrogate.table import Array

with warnings.catch_warnings():
    # linear_operator 0.6 compiles two functions with torch.jit.script as it is imported, which newer torch deprecates.
    warnings.filterwarnings("ignore", message=".*torch.jit.script", category=DeprecationWarning)
    from botorch.cross_validation import efficient_loo_cv
    from botorch.exceptions.errors import ModelFittingError
    from botorch.exceptions.warnings import BadInitialCandidatesWarning, InputDataWarning, OptimizationWarning
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.model_list_gp_regression import ModelListGP
    from botorch.models.transforms import Standardize
    from botorch.models.transforms.input import AppendFeatures
    from botorch.posteriors.gpytorch import GPyTorchPosterior
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.sampling import manual_seed
    from gpytorch.constraints import GreaterThan
    from gpytorch.kernels import Kernel
    from gpytorch.likelihoods import GaussianLikelihood
    from gpytorch.likelihoods.gaussian_likelihood import _GaussianLikelihoodBase as GaussianLikelihoodBase
    from gpytorch.likelihoods.noise_models import Noise
    from gpytorch.mlls import ExactMarginalLogLikelihood
    from gpytorch.priors import GammaPrior, LogNormalPrior, NormalPrior
    from gpytorch.settings import min_variance
    from linear_operator.operators import DenseLinearOperator, DiagLinearOperator
    from linear_operator.utils.errors import NanError, NotPSDError
    from linear_operator.utils.warnings import NumericalWarning

NUMERICS = (NanError, NotPSDError)  # what a kernel matrix may raise, jitter notwithstanding

__all__ = [
    "NUMERICS",
    "AppendFeatures",
    "DenseLinearOperator",
    "DiagLinearOperator",
    "ExactMarginalLogLikelihood",
    "GPyTorchPosterior",
    "GammaPrior",
    "GaussianLikelihood",
    "GaussianLikelihoodBase",
    "GreaterThan",
    "Hypervolume",
    "Kernel",
    "LogNormalPrior",
    "ModelFittingError",
    "ModelListGP",
    "Noise",
    "NormalPrior",
    "NotPSDError",
    "SingleTaskGP",
    "Standardize",
    "calm",
    "efficient_loo_cv",
    "fit_gpytorch_mll",
    "min_variance",
    "tensor",
]


@contextmanager
def calm(seed: int = 0) -> Iterator[None]:
    """Run torch seeded, on one thread and without the warnings that are understood here; then restore all three.

    One thread makes results bit-identical, and two processes with torch's default threads take ten times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings(), manual_seed(seed):
            _ignore_understood()
            yield
    finally:
        torch.set_num_threads(threads)


def tensor(values: Array) -> torch.Tensor:
    """Return a copy as a tensor in double precision."""
    return torch.tensor(values, dtype=torch.double)


def _ignore_understood() -> None:
    # A kernel matrix of near-equal points gets 1e-8 of jitter, far below the inferred noise.
    warnings.filterwarnings("ignore", category=NumericalWarning)
    # A constant output cannot be standardized: its model says that constant, which is right.
    warnings.filterwarnings("ignore", message="Data .* is not standardized", category=InputDataWarning)
    # BoTorch retries a fit or a search that stopped early, and keeps the best.
    warnings.filterwarnings("ignore", category=OptimizationWarning)
    warnings.filterwarnings("ignore", message="Optimization failed (in|on)", category=RuntimeWarning)
    # Where an acquisition function is flat, random starts of its search are as good as any.
    warnings.filterwarnings("ignore", category=BadInitialCandidatesWarning)
