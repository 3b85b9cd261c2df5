"""A trial of each kernel: run in a process of its own before a new library is used."""

import ctypes

import torch
import torch.nn.functional as F

from rungwise import randomness
from rungwise.native.kernels import KEEP_ALL, SUFFIXES, Drop, Kernels, Normed

MOST = 0.1
"""Largest error, as a share of the largest right value: bfloat16 rounds, and by Winograd's way
1.6% of the mean size; a wrong instruction makes errors of the values' own size."""


def try_kernels(path: str) -> None:
    """Run every kernel of a library once on a few numbers.

    Raises:
        OSError: The library cannot be opened.
        ArithmeticError: A result is wrong.
    """
    kernels = Kernels(ctypes.CDLL(path))
    pixels = torch.arange(0, 250, dtype=torch.uint8, device="cpu").view(2, 5, 5, 5)
    _require("to_unit", kernels.to_unit(pixels), pixels.permute(0, 3, 1, 2) / 255.0)
    for dtype in SUFFIXES:
        _try_ends(kernels, dtype)
        _try_pools(kernels, dtype)
        _try_norm(kernels, dtype)
    if kernels.has_convolutions:
        _try_convolutions(kernels)


def _try_ends(kernels: Kernels, dtype: torch.dtype) -> None:
    images, line = _numbers(2, 19, 3, 3), _numbers(19)
    scaled = kernels.scale(images, line, line + 3, dtype)
    _require("scale", scaled, (images - line.view(-1, 1, 1)) / (line.view(-1, 1, 1) + 3))
    logits = _numbers(6, 19).to(dtype).requires_grad_()
    targets, sums = _numbers(6, 19).flip(1).softmax(1), _numbers(2).double()
    gradient = kernels.cross_entropy(logits.detach(), targets, sums)
    loss = F.cross_entropy(logits.float(), targets)
    _require("cross_entropy", gradient, torch.autograd.grad(loss, logits)[0])
    values = _numbers(37).to(dtype)
    kernels.drop(values, Drop(0.5, 3), relu=True)
    whole = _numbers(37).relu() * 2
    _require("drop", values, torch.where(values == 0, 0, whole))
    back = _numbers(37).to(dtype)
    kernels.relu_drop_backward(back, values, 0.5)
    _require("relu_drop_backward", back, torch.where(values > 0, _numbers(37) * 2, 0))


def _try_pools(kernels: Kernels, dtype: torch.dtype) -> None:
    maps = _numbers(2, 19, 5, 6).to(dtype).requires_grad_()
    right = F.max_pool2d(maps.relu(), 2)
    pooled, origin = kernels.pool(maps.detach(), False, True, KEEP_ALL, KEEP_ALL)
    _require("pool", pooled, right)
    slopes = _numbers(*right.shape).to(dtype)
    back = kernels.pool_backward(slopes, origin, (5, 6), 0.0, 0.0)
    _require("pool_backward", back, torch.autograd.grad(right, maps, slopes)[0])
    images, bias = _numbers(2, 3, 6, 7).to(dtype), _numbers(19)
    taps = _numbers(3, 3, 3, 19).contiguous()
    weight = taps.clone().requires_grad_()
    right = F.max_pool2d(F.conv2d(images.float(), weight.permute(3, 2, 0, 1), bias).relu(), 2)
    pooled, origin = kernels.first_pool(images, taps, bias, 0, KEEP_ALL)
    _require("first_pool", pooled, right)
    slopes, found = _numbers(*right.shape).to(dtype), torch.empty_like(taps)
    kernels.first_pool_backward(images, slopes, origin, found, bias, 0, 0.0)
    own = torch.autograd.grad(right, weight, slopes.float())[0]
    _require("first_pool_backward", found, own)


def _try_norm(kernels: Kernels, dtype: torch.dtype) -> None:
    values, weight, bias = _numbers(3, 19, 4, 4).to(dtype), _numbers(19) + 2, _numbers(19)
    normed = Normed(values, weight, bias, torch.empty_like(weight), torch.empty_like(weight))
    out = kernels.norm(normed, (bias.clone(), weight.clone()), 0.1, 1e-5, True)
    taken = values.float().requires_grad_()
    right = F.gelu(F.batch_norm(taken, None, None, weight, bias, True, 0.1, 1e-5))
    _require("norm", out, right)
    slopes = _numbers(3, 19, 4, 4).to(dtype)
    back = kernels.norm_backward(slopes, normed, weight.clone(), bias.clone(), True, False)
    _require("norm_backward", back, torch.autograd.grad(right, taken, slopes.float())[0])


def _try_convolutions(kernels: Kernels) -> None:
    maps = _numbers(2, 24, 7, 9).bfloat16()
    weight = _numbers(40, 24, 3, 3)
    taken, filters = maps.float().requires_grad_(), weight.clone().requires_grad_()
    right = F.conv2d(taken, filters, padding=1)
    _require("convolve", kernels.convolve(maps, weight, None, 1, False), right)
    slopes = _numbers(*right.shape).bfloat16()
    below, own = torch.autograd.grad(right, (taken, filters), slopes.float())
    _require("convolve_backward", kernels.convolve_backward(slopes, weight, maps, 1), below)
    found = torch.empty_like(weight)
    kernels.convolve_weight(maps, slopes, found, None, 1)
    _require("convolve_weight", found, own)


def _numbers(*shape: int) -> torch.Tensor:
    """Return numbers from -1 to 1, always the same; four dimensions lie channels-last."""
    rng = randomness.generator("trial", *shape)
    values = torch.rand(shape, generator=rng, dtype=torch.float32, device="cpu") * 2 - 1
    return values.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else values


def _require(name: str, found: torch.Tensor, right: torch.Tensor) -> None:
    error = (found.double() - right.detach().double()).abs().max()
    if not error <= MOST * right.detach().abs().max():
        raise ArithmeticError(f"the kernel {name} gives wrong results")
