# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

class Matrix:
    def __new__(cls, array: Any) -> Self: ...

class Rows:
    def __new__(cls, x: Any, y: Any, weights: Any, scale: Any, offset: Any, unit: bool) -> Self: ...

class Moments:
    p: int
    k: int
    unit: bool
    def __new__(cls, p: int, k: int, unit: bool, kernel: str | None = None) -> Self: ...
    @property
    def kernel(self) -> str: ...
    @property
    def nbytes(self) -> int: ...
    def copy(self) -> Moments: ...
    def update(
        self, x: Any, y: Any, weights: Any, scale: _Floats | None, offset: _Floats | None, n_threads: int,
        transform: _Floats | None = None, factor: _Floats | None = None,
    ) -> float | None: ...
    def rescale(self, exponents: NDArray[np.int64]) -> None: ...
    def diagonal(self, out: _Floats) -> None: ...
    def collect(self, zz: _Floats, yy: _Floats, lost: _Floats | None = None, n_threads: int = 1) -> None: ...

def first_nonfinite(array: Any) -> tuple[int, int] | None: ...
def first_bad_weight(array: Any) -> int | None: ...
def column_max_abs(array: Any, out: _Floats) -> None: ...
def kernel_name(name: str | None = None) -> str: ...
def kernels_built() -> dict[str, bool]: ...
def cpu_features() -> dict[str, bool]: ...
def openmp_version() -> int: ...
def openmp_max_threads() -> int: ...
def is_forked_child() -> bool: ...
def probe_fma(n_threads: int, sweeps: int, kernel: str | None = None) -> tuple[float, float]: ...
def probe_read(n_threads: int, data: _Floats, kernel: str | None = None) -> float: ...
def probe_update(
    n_threads: int, g: _Floats, a: _Floats, b: _Floats, c: _Floats, kernel: str | None = None
) -> float: ...
def block_rows(p: int) -> int: ...
def residual_twofold(
    x: Any,
    y: Any,
    weights: Any,
    scale: _Floats | None,
    unit: bool,
    b: _Floats,
    b_low: _Floats,
    g: _Floats,
    g_low: _Floats,
    rss: _Floats,
    n_threads: int,
    kernel: str | None = None,
) -> None: ...
def residual(
    x: Any,
    y: Any,
    weights: Any,
    scale: _Floats | None,
    offset: _Floats | None,
    unit: bool,
    b: _Floats,
    g: _Floats,
    rss: _Floats,
    r: _Floats | None,
    n_threads: int,
    kernel: str | None = None,
) -> None: ...
def leave_one_out(
    x: Any,
    y: Any,
    weights: Any,
    scale: _Floats | None,
    offset: _Floats | None,
    basis: _Floats,
    damping: _Floats,
    b: _Floats,
    base: float,
    n_threads: int,
    kernel: str | None = None,
) -> tuple[_Floats, _Floats]: ...
def scores(
    x: Any,
    y: Any,
    weights: Any,
    scale: _Floats | None,
    offset: _Floats | None,
    unit: bool,
    b: _Floats | None,
    transform: _Floats | None,
    kind: str,
    n_threads: int,
    residuals: _Floats | None = None,
    leverages: _Floats | None = None,
    scores: _Floats | None = None,
    moments: _Floats | None = None,
    kernel: str | None = None,
) -> None: ...
def add_by_code(values: _Floats, codes: NDArray[np.int64], sums: _Floats) -> None: ...
def glm_pass(
    x: Any,
    y: Any,
    weights: Any,
    scale: _Floats | None,
    shift: _Floats | None,
    unit: bool,
    family: str,
    b: _Floats | None,
    offset: Any,
    n_threads: int,
    eta: _Floats | None = None,
    gradient: _Floats | None = None,
    hessian: _Floats | None = None,
    expected: bool = False,
    given: tuple[_Floats, _Floats] | None = None,
    kernel: str | None = None,
) -> float: ...
def glm_along(
    family: str, eta: _Floats, step: _Floats, t: float, y: Any, weights: Any, kernel: str | None = None
) -> tuple[float, float, float]: ...
def elementary(which: str, x: _Floats, out: _Floats, kernel: str | None = None) -> None: ...
def cholesky(a: _Floats, n_threads: int, kernel: str | None = None) -> int | None: ...
def triangular_solve(r: _Floats, x: _Floats, transposed: bool, kernel: str | None = None) -> None: ...
def inverse_norm_estimate(r: _Floats, kernel: str | None = None) -> float: ...
def cholesky_inverse(r: _Floats, inverse: _Floats, kernel: str | None = None) -> None: ...

OUT_OF_RANGE: str
SMALLEST_SQUARES: float
LARGEST_SQUARES: float

class Factor:
    @property
    def r(self) -> _Floats: ...
    @property
    def scale(self) -> _Floats: ...
    @property
    def active(self) -> NDArray[np.int64] | None: ...
    @property
    def transform(self) -> _Floats | None: ...
    @property
    def whole(self) -> _Floats | None: ...
    def __new__(cls, n: int, active: NDArray[np.int64] | None = None, has_r: bool = True) -> Self: ...
    @property
    def condition(self) -> float: ...
    @property
    def trace(self) -> float: ...
    @property
    def is_single(self) -> bool: ...
    @property
    def exponents(self) -> NDArray[np.int64]: ...
    def preconditioned(
        self, transform: _Floats, whole: _Floats, scale: _Floats, trace: float, condition: float
    ) -> Factor: ...
    def solve(self, g: _Floats, kernel: str | None = None) -> _Floats: ...

def may_need_one_pass(n: int, p: int, k: int) -> bool: ...
def pivot_noise(n: int) -> float: ...
def factorize(
    m: _Floats, active: NDArray[np.int64] | None, n_threads: int, kernel: str | None = None
) -> tuple[Factor | None, str]: ...
def refine(
    x: Any,
    y: Any,
    weights: Any,
    scale: _Floats | None,
    offset: _Floats | None,
    c: _Floats,
    mean: _Floats | None,
    sum_weights: float,
    zz: _Floats | None,
    lost: _Floats | None,
    yy: _Floats,
    factor: Factor,
    n_threads: int,
    kernel: str | None = None,
    unrefined: bool = False,
    penalty: _Floats | None = None,
) -> tuple[_Floats | None, _Floats | None, int, float, str]: ...
def lstsq(
    a: Any, b: Any, threads: int | None, resolve: Callable[[], int], unrefined: bool = False
) -> (
    tuple[_Floats, _Floats, Factor, int, float, int]
    | tuple[_Floats, _Floats, Orthogonal, str, int]
    | tuple[Moments, str, int]
    | None
): ...

def refine_fully(
    a: Any, b: Any, factor: Factor, x: _Floats, rss: _Floats, n_threads: int
) -> tuple[int, float, float]: ...

class Orthogonal:
    @property
    def factor(self) -> Factor: ...
    @property
    def null(self) -> _Floats: ...
    @property
    def range(self) -> _Floats: ...
    @property
    def dependent(self) -> NDArray[np.bool_]: ...
    @property
    def is_wide(self) -> bool: ...
    def __new__(cls, rows: int, n: int, active: NDArray[np.int64] | None = None) -> Self: ...
    @property
    def rank(self) -> int: ...
    @property
    def passes(self) -> int: ...
    @property
    def backward_error(self) -> float: ...

def is_for_qr(n: int, p: int, k: int) -> bool: ...
def solve_by_qr(
    x: Any,
    y: Any,
    weights: Any,
    scale: _Floats | None,
    offset: _Floats | None,
    unit: bool,
    active: NDArray[np.int64] | None,
    kernel: str | None = None,
) -> tuple[_Floats, _Floats, Orthogonal] | None: ...
def lstsq_batched(
    a: NDArray[Any], b: NDArray[Any], weights: NDArray[Any] | None, n_threads: int, kernel: str | None = None
) -> tuple[_Floats, _Floats, _Floats, _Floats, NDArray[np.int8], NDArray[np.int8]]: ...
def group_rows(codes: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
def grouped_fit(
    x: Any,
    y: Any,
    weights: Any,
    unit: bool,
    start: NDArray[np.int64],
    order: NDArray[np.int64],
    n_threads: int,
    kernel: str | None = None,
) -> tuple[_Floats, _Floats, _Floats, _Floats, NDArray[np.int8]]: ...
def fit_subsets(
    x: Any,
    y: Any,
    weights: Any,
    unit: bool,
    first: NDArray[np.int64],
    end: NDArray[np.int64],
    order: NDArray[np.int64],
    factor: _Floats | None,
    errors: bool,
    n_threads: int,
    kernel: str | None = None,
) -> tuple[_Floats, _Floats, _Floats, _Floats, _Floats | None, NDArray[np.int64], NDArray[np.int8]]: ...

class Truncated:
    def __new__(cls, moments: _Floats, triangle: _Floats, kernel: str | None = None) -> Self: ...
    @property
    def rank(self) -> int: ...
    @property
    def condition(self) -> float: ...
    def cut(self, rank: int) -> None: ...
    def solve(self, h: _Floats) -> _Floats: ...
    def norms(self, g: _Floats) -> _Floats: ...
    @property
    def null(self) -> _Floats: ...
    @property
    def range(self) -> _Floats: ...
    @property
    def dependent(self) -> NDArray[np.bool_]: ...

class Boxes:
    b: _Floats
    place: NDArray[np.int8]
    rounds: NDArray[np.int64]
    settled: NDArray[np.int8]
    def __new__(cls, lower: _Floats, upper: _Floats, count: int, most: int) -> Self: ...
    def move(self, m: _Floats, g: _Floats, slack: _Floats, n_threads: int, kernel: str | None = None) -> None: ...
    def solve(
        self, t: _Floats, d: _Floats, price: _Floats, n_threads: int, kernel: str | None = None
    ) -> None: ...

def nnls(a: _Floats, b: _Floats, most: int) -> tuple[_Floats, _Floats, int, int, float] | None: ...
def triangular_product(a: _Floats, b: _Floats, kernel: str | None = None) -> _Floats: ...

class Penalized:
    b: _Floats
    gap: _Floats
    objective: _Floats
    sweeps: NDArray[np.int64]
    error: _Floats | None
    def __new__(
        cls, m: _Floats, c: _Floats, yy: float, l1: _Floats, l2: _Floats, alpha: _Floats, nonnegative: bool,
        tolerance: float, most_sweeps: int, start: _Floats | None = None,
        held: tuple[_Floats, _Floats, float, float, _Floats, float] | None = None,
    ) -> Self: ...
    def hold_out(
        self, m: _Floats, c: _Floats, yy: float, weight: float, distance: _Floats, apart: float
    ) -> None: ...

def elastic_net_paths(problems: list[Penalized], n_threads: int, kernel: str | None = None) -> None: ...
def duality_gap(
    b: _Floats, q: _Floats, l1: _Floats, l2: _Floats, diagonal: _Floats, alpha: float, nonnegative: bool, yy: float,
    rss: float,
) -> float: ...
NOT_SETTLED: int
PIVOT_FAILED: int
PIVOT_IN_NOISE: int

def rolling_fit(
    x: Any,
    y: Any,
    weights: Any,
    unit: bool,
    length: int,
    start: NDArray[np.int64] | None,
    factor: _Floats | None,
    variances: bool,
    n_threads: int,
    kernel: str | None = None,
) -> tuple[_Floats, _Floats, _Floats, _Floats, _Floats | None, NDArray[np.int64], NDArray[np.int8]]: ...

SGD: int
RMSPROP: int
ADAGRAD: int
ADAM: int
STATES: int

class Settings:
    def __new__(
        cls, rule: int, *, nesterov: bool = False, centered: bool = False, amsgrad: bool = False,
        decoupled: bool = False, maximize: bool = False, momentum: float = 0.0, dampening: float = 0.0,
        beta1: float = 0.0, beta2: float = 0.0, eps: float = 0.0, rate_decay: float = 0.0, weight_decay: float = 0.0,
        clip_value: float = 0.0,
    ) -> Self: ...
    @property
    def states(self) -> list[bool]: ...

class Parameters:
    def __new__(cls, parameters: list[tuple[int, Any, Any, list[Any]]]) -> Self: ...

def optimizer_step(
    settings: Settings, learning_rate: float, factor: float, parameters: Parameters, n_threads: int,
    kernel: str | None = None,
) -> None: ...
def gradient_norm(limit: float, parameters: Parameters, n_threads: int, kernel: str | None = None) -> float: ...

class Descent:
    def __new__(
        cls, x: Any, y: _Floats, weights: _Floats | None, loss: str, parameter: float, predictors: int, labels: bool,
        center: _Floats | None = None, factor: _Floats | None = None, shaped: bool = False,
    ) -> Self: ...
    @property
    def parameters(self) -> int: ...

def descent_run(
    problem: Descent, optimizer: Settings, rates: _Floats, b: _Floats, states: list[_Floats | None], done: int, *,
    batch_rows: int, first_row: int = 0, shuffled: bool = False, block_rows: int = 1, key: int = 0,
    mean_weight: float = 1.0, l1: float = 0.0, l2: float = 0.0, clip_norm: float = 0.0, intercept: bool = True,
    average: _Floats | None = None, averaged: int = 0, average_from: int = 0, n_threads: int = 1,
    saga: tuple[_Floats, _Floats] | None = None, kernel: str | None = None,
) -> dict[str, Any]: ...
def descent_evaluate(
    problem: Descent, b: _Floats, gradient: _Floats | None = None, n_threads: int = 1, kernel: str | None = None,
) -> tuple[float, float]: ...
def order_rows(block_rows: int, shuffled: bool, key: int, rows: NDArray[np.int64]) -> None: ...
def column_moments(
    x: Any, weights: _Floats | None, shift: _Floats, n_threads: int, sums: _Floats, squares: _Floats,
    kernel: str | None = None,
) -> None: ...
