"""Dependence of any kind between two blocks of the code: distance correlation and HSIC, without bias."""

from __future__ import annotations

import torch
from torch import Tensor


def u_centred(matrix: Tensor) -> Tensor:
    """U-centring of a symmetric matrix with zero diagonal (10.1214/14-AOS1255, eq. 2.2): (n, n) -> (n, n), n >= 4.

    Every row and column then sums to 0 without its diagonal, which is set to 0.
    """
    n = matrix.shape[0]
    rows = matrix.sum(dim=1, keepdim=True) / (n - 2)
    centred = matrix - rows - rows.T + matrix.sum() / ((n - 1) * (n - 2))
    return centred * (1 - torch.eye(n, dtype=matrix.dtype, device=matrix.device))


def u_product(a: Tensor, b: Tensor) -> Tensor:
    """Unbiased inner product of two U-centred matrices: (n, n) twice -> ()."""
    n = a.shape[0]
    return (a * b).sum() / (n * (n - 3))


def distances(x: Tensor) -> Tensor:
    """Euclidean distance of all pairs of rows: (n, D) -> (n, n), with a gradient of 0, not NaN, where two coincide."""
    squared = (x.unsqueeze(1) - x.unsqueeze(0)).square().sum(dim=2)
    apart = squared > 0
    return torch.where(apart, squared, 1.0).sqrt() * apart


def squared_distance_correlation(x: Tensor, y: Tensor, *, epsilon: float = 1e-6) -> Tensor:
    """Bias-corrected squared distance correlation of two blocks (10.1214/009053607000000505, corrected as in
    10.1016/j.jmva.2013.02.012): `x` (n, D), `y` (n, E) -> (), n >= 4.

    At most 1. Its expectation is near 0 for independent blocks of any dimension, so single values may be below 0; the
    uncorrected form goes to 1 with the dimension. 1 for y = a x + b with a a multiple of a rotation. `epsilon` is added
    to the squared distance variances: a block that hardly moves depends on nothing. 0 for n < 4, where it isn't
    defined.
    """
    if x.shape[0] < 4:
        return (x.sum() + y.sum()) * 0.0
    a, b = u_centred(distances(x.float())), u_centred(distances(y.float()))
    scale = (u_product(a, a).clamp(min=0) + epsilon) * (u_product(b, b).clamp(min=0) + epsilon)
    return u_product(a, b) / scale.sqrt()


def gaussian_kernel(x: Tensor) -> Tensor:
    """exp(-d² / 2 m), m the median squared distance of two rows (a statistic without gradient): (n, D) -> (n, n)."""
    squared, n = (x.unsqueeze(1) - x.unsqueeze(0)).square().sum(dim=2), x.shape[0]
    # Every (n + 1)th is on the diagonal. A mask would say so more plainly, and make a GPU wait.
    others = squared.detach().flatten()[1:].reshape(n - 1, n + 1)[:, :-1]
    return torch.exp(-0.5 * squared / others.median().clamp(min=1e-12))


def hsic(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased Hilbert-Schmidt independence criterion (Song et al., JMLR 13:1393, 2012, eq. 5) with Gaussian kernels of
    median width: `x` (n, D), `y` (n, E) -> (), n >= 4.

    Its expectation is 0 at independence, so single values may be below 0; above 0 for any dependence. In units of the
    kernels, a few tenths at most: weigh it accordingly. 0 for n < 4.
    """
    if x.shape[0] < 4:
        return (x.sum() + y.sum()) * 0.0
    hollow = 1 - torch.eye(x.shape[0], device=x.device)
    return u_product(u_centred(gaussian_kernel(x.float()) * hollow), u_centred(gaussian_kernel(y.float()) * hollow))
