# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The only place that inspects user arrays.

What the C core reads as it is (float64, float32, float16, bool and all integers, in any strides) passes without a
copy; longdouble and foreign byte orders are converted; everything else is refused with the argument's name.
"""

import operator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np

from fastlsq._core import lib

# Products of weights outside this range with rows would under- or overflow.
_WEIGHTS = 1e-100, 1e100
_READ_AS_IS = frozenset("?bBhHiIlLqQefd")


def matrix(a, name):
    """2-D real array of a dtype the core reads; a copy only for longdouble and foreign byte order."""
    array = real(a, name)
    if array.ndim != 2:
        raise ValueError(f"{name} must be 2-D, got {_shape(array)}")
    return array


def column_blocks(blocks, name):
    """2-D arrays to lie side by side, for a list or tuple of such; None for anything else."""
    if not isinstance(blocks, (list, tuple)) or not blocks:
        return None
    if not all(getattr(block, "ndim", None) == 2 for block in blocks):
        return None
    return [matrix(block, f"{name}[{number}]") for number, block in enumerate(blocks)]


def targets(b, name, n, rows_of):
    """(n, k) view of a 1-D or 2-D array of n rows, and whether it was 1-D."""
    array = real(b, name)
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} must be 1-D or 2-D, got {_shape(array)}")
    if array.shape[0] != n:
        raise ValueError(f"{name} has {array.shape[0]} rows, {rows_of} has {n}: Shape mismatch")
    return (array[:, None], True) if array.ndim == 1 else (array, False)


def is_complex(a):
    return np.iscomplexobj(a)


def complex_pair(a, b):
    """a (n, p) and b (n,) or (n, k), of which at least one is complex."""
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 2:
        raise ValueError(f"a must be 2-D when it or b is complex, got {_shape(a)}")
    if b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise ValueError(f"b has {_shape(b)}, a has {a.shape[0]} rows: Shape mismatch")
    if a.dtype.kind not in "fbiuc" or b.dtype.kind not in "fbiuc":
        raise TypeError(f"a and b must be numeric, got dtypes {a.dtype} and {b.dtype}")
    return a, b


def one_target(y, name, n, rows_of):
    """(n, 1) view of a target given as (n,) or (n, 1)."""
    array, _ = targets(y, name, n, rows_of)
    if array.shape[1] != 1:
        raise ValueError(f"{name} must be 1-D or (n, 1), got {_shape(array)}")
    return array


def row_weights(weights, n, rows_of):
    """1-D array of n finite, non-negative weights, or None."""
    if weights is None:
        return None
    array = real(weights, "weights")
    if array.shape != (n,):
        raise ValueError(f"weights must have shape ({n},), one per row of {rows_of}, got {_shape(array)}")
    check_weights(array)
    return array


def ridge_alphas(alphas):
    """1-D array of finite numbers >= 0."""
    array = real(alphas, "alphas").astype(np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"alphas must be 1-D and not empty, got {_shape(array)}")
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise ValueError("alphas must be finite and >= 0")
    return array


def ridge_alpha(alpha, k):
    """A number >= 0, or k of them as an array."""
    array = real(alpha, "alpha").astype(np.float64)
    if array.ndim > 1 or (array.ndim == 1 and array.shape[0] != k):
        raise ValueError(f"alpha must be a number or one for each of the {k} targets, got {_shape(array)}")
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise ValueError(f"alpha must be finite and >= 0, got {alpha!r}")
    return float(array) if array.ndim == 0 else array


def ridge_penalty(penalty, p):
    """(p,) finite and >= 0, or (p, p) symmetric and positive semidefinite; ones by default."""
    if penalty is None:
        return np.ones(p)
    array = np.array(real(penalty, "penalty"), np.float64)
    if array.shape not in ((p,), (p, p)):
        raise ValueError(f"penalty must have shape ({p},) or ({p}, {p}), got {_shape(array)}")
    if not np.isfinite(array).all():
        raise ValueError("penalty must not contain infs or NaNs")
    if array.ndim == 1:
        if (array < 0).any():
            j = int(np.flatnonzero(array < 0)[0])
            raise ValueError(f"penalty must be >= 0; penalty[{j}] is {array[j]}")
        return array
    diagonal = np.diagonal(array)
    if (diagonal < 0).any():
        j = int(np.flatnonzero(diagonal < 0)[0])
        raise ValueError(f"penalty must be positive semidefinite; [{j}, {j}] is {diagonal[j]}")
    # judged with a unit diagonal: units of the columns do not matter
    halves = np.where(diagonal > 0, np.frexp(diagonal)[1] // 2, 0)
    scaled = np.ldexp(array, -halves[:, None] - halves[None, :])
    apart = np.argwhere(~(np.abs(scaled - scaled.T) <= 1e-12 * max(1.0, np.abs(scaled).max(initial=0.0))))
    if apart.size:
        i, j = apart[0]
        raise ValueError(f"penalty must be symmetric; [{i}, {j}] is {array[i, j]} and [{j}, {i}] is {array[j, i]}")
    values = np.linalg.eigvalsh(0.5 * scaled + 0.5 * scaled.T)
    if p and values[0] < -1e-12 * max(values[-1], 0.0):
        raise ValueError(f"penalty must be positive semidefinite; scaled to a unit diagonal it has the eigenvalue "
                         f"{values[0]:.3g}")
    return 0.5 * array + 0.5 * array.T


def label_columns(groups, n, name="groups"):
    """List of label arrays of n entries: one for (n,), one for each column of (n, m)."""
    if isinstance(groups, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; drop or fill the masked entries first")
    labels = np.asarray(groups)
    if labels.ndim not in (1, 2) or labels.shape[0] != n:
        raise ValueError(f"{name} must have shape ({n},) or ({n}, 2), one label per row of X, got {_shape(labels)}")
    return [labels] if labels.ndim == 1 else list(labels.T)


def check_labels(labels, name="groups"):
    """Raise ValueError naming the first label that is missing: NaN, NaT or None."""
    if labels.dtype.kind == "O":
        missing = np.fromiter((_is_missing(label) for label in labels), bool, len(labels))
    elif labels.dtype.kind in "fcmM":
        missing = np.isnan(labels)
    else:
        return
    rows = np.flatnonzero(missing)
    if rows.size:
        raise ValueError(f"{name} must not contain NaN, NaT or None; {name}[{rows[0]}] is {labels[rows[0]]}")


def _is_missing(label):
    try:
        return label is None or bool(label != label)
    except (TypeError, ValueError):  # of a kind that has no such comparison
        return type(label).__name__ == "NAType"


def same_rows(arrays):
    """(arrays, their number of rows); lists become arrays."""
    if not arrays:
        raise TypeError("at least one array is needed")
    arrays = [np.asarray(a) if isinstance(a, (list, tuple)) else a for a in arrays]
    for i, array in enumerate(arrays):
        if not getattr(array, "shape", ()):
            raise TypeError(f"array {i} has no rows: got {type(array).__name__}")
        if array.shape[0] != arrays[0].shape[0]:
            raise ValueError(f"array {i} has {array.shape[0]} rows, array 0 has {arrays[0].shape[0]}")
    return arrays, arrays[0].shape[0]


def take_rows(array, rows):
    """Rows of an array, a data frame or a sparse matrix; views for a slice."""
    if hasattr(array, "iloc"):
        return array.iloc[rows]
    if isinstance(array, np.ndarray) and not isinstance(rows, slice):
        return array.take(rows, axis=0)
    return array.tocsr()[rows] if hasattr(array, "tocsr") else array[rows]


def scored(y_true, y_pred, weights):
    """Float64 targets and predictions of shape (n, k), and the weights of the rows or None."""
    y = real(y_true, "y_true")
    if y.ndim not in (1, 2) or y.shape[0] == 0:
        raise ValueError(f"y_true must be 1-D or 2-D and not empty, got {_shape(y)}")
    y = y[:, None] if y.ndim == 1 else y
    f = targets(y_pred, "y_pred", y.shape[0], "y_true")[0]
    if y.shape != f.shape:
        raise ValueError(f"y_true has {y.shape[1]} columns, y_pred has {f.shape[1]}")
    check_finite(y_true=y, y_pred=f)
    return y.astype(np.float64), f.astype(np.float64), _score_weights(weights, y.shape[0])


def labelled(y_true, y_pred, weights):
    """Labels and predicted labels of shape (n,), and the weights of the rows or None."""
    y = _label_vector(y_true, "y_true")
    f = _label_vector(y_pred, "y_pred")
    if y.shape != f.shape:
        raise ValueError(f"y_true has {y.shape[0]} rows, y_pred has {f.shape[0]}")
    if (y.dtype.kind in "fbiu") != (f.dtype.kind in "fbiu"):
        raise TypeError(f"y_true has labels of dtype {y.dtype}, y_pred of {f.dtype}")
    return y, f, _score_weights(weights, y.shape[0])


def labelled_scores(y_true, score, name, weights):
    """Labels of shape (n,), finite scores of shape (n, k), and the weights of the rows or None."""
    y = _label_vector(y_true, "y_true")
    s = targets(score, name, y.shape[0], "y_true")[0]
    check_finite(**{name: s})
    return y, s.astype(np.float64), _score_weights(weights, y.shape[0])


def label_order(labels, *vectors):
    """The labels that occur, ascending; or those given, which must have them all."""
    found = np.unique(np.concatenate(vectors))
    if labels is None:
        return found
    given = np.asarray(labels)
    if given.ndim != 1 or len(np.unique(given)) != len(given):
        raise ValueError("labels must be 1-D, each once")
    missing = found[~np.isin(found, given)]
    if missing.size:
        raise ValueError(f"labels has no {missing[0]!r}, which occurs")
    return given


def _label_vector(labels, name):
    vector = np.asarray(labels)
    if vector.ndim == 2 and vector.shape[1] == 1:
        vector = vector[:, 0]
    if vector.ndim != 1 or vector.shape[0] == 0:
        raise ValueError(f"{name} must have one label for each row and not be empty, got {_shape(vector)}")
    check_labels(vector, name)
    return vector


def _score_weights(weights, n):
    weights = row_weights(weights, n, "y_true")
    if weights is None:
        return None
    weights = weights.astype(np.float64)
    if not weights.sum() > 0:
        raise ValueError("weights must not all be 0")
    return weights


@dataclass(slots=True)
class Response:
    """What a generalized linear model is fitted to."""

    y: np.ndarray  # float64, (n,)
    trials: np.ndarray | None = None  # of rows given as successes and failures
    classes: np.ndarray | None = None  # labels behind 0 and 1


def response(y, family, n):
    """The target of a family with one predictor, as float64."""
    if family == "binomial":
        labels = np.asarray(y)
        if labels.dtype.kind not in "fbiuc":
            return _two_labels(y, n)
        if labels.ndim == 2 and labels.shape[1] == 2:
            counts = targets(y, "y", n, "X")[0].astype(np.float64)
            check_finite(y=counts)
            if (counts < 0).any():
                row, column = np.argwhere(counts < 0)[0]
                raise ValueError(f"y must be counts >= 0; row {row}, column {column} is {counts[row, column]}")
            trials = counts.sum(axis=1)
            return Response(np.where(trials > 0, counts[:, 0] / np.where(trials > 0, trials, 1.0), 0.0), trials)
    array = np.ascontiguousarray(one_target(y, "y", n, "X")[:, 0], np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(np.add.reduce(array))
    if not finite:
        check_finite(y=array[:, None])
    return Response(array)


def _two_labels(y, n):
    labels, codes = classes(y, n)
    if labels.size != 2:
        raise ValueError(f"y must have two labels for family='binomial', it has {labels.size}")
    return Response(codes.astype(np.float64), None, labels)


def classes(y, n):
    """Sorted labels of n rows, and the number of each row's."""
    if isinstance(y, np.ma.MaskedArray):
        raise TypeError("y is a masked array; drop or fill the masked entries first")
    if hasattr(y, "tocsr"):
        raise TypeError("y is a sparse matrix; pass a dense array")
    labels = np.asarray(y)
    if labels.dtype.kind == "c":
        raise TypeError("y is complex; labels are not")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (n,):
        raise ValueError(f"y must have shape ({n},), one label per row of X, got {_shape(labels)}")
    check_labels(labels, "y")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        row = int(np.argmin(np.isfinite(labels)))
        raise ValueError(f"y must not contain infs or NaNs; y[{row}] is {labels[row]}")
    try:
        few = _few_classes(labels) if labels.dtype.kind in "fbiu" else None
        return np.unique(labels, return_inverse=True) if few is None else few
    except TypeError:
        raise TypeError("y must have labels of one kind, that can be sorted") from None


def _few_classes(labels):
    """What np.unique gives, without sorting them all, if a sample has at most 16 labels and there are no others."""
    found = np.unique(labels[:: max(1, labels.size // 4096)])
    if found.size > 16:
        return None
    codes, known = np.zeros(labels.shape, np.int64), labels == found[0]
    for code in range(1, found.size):
        same = labels == found[code]
        np.putmask(codes, same, code)
        known |= same
    return (found, codes) if known.all() else None


def check_size(y, name):
    """Raise ValueError unless the squares of what is largest are numbers."""
    largest = float(np.abs(y).max(initial=0.0))
    if largest != 0 and not _WEIGHTS[0] <= largest <= _WEIGHTS[1]:
        raise ValueError(f"the largest of {name} is {largest:.3g}; scale it into {_WEIGHTS[0]:g} to {_WEIGHTS[1]:g}")


def restrictions(R, r, parameters):
    """Float64 (m, parameters) matrix and m values of linear restrictions R params = r."""
    matrix, values = real(R, "R"), real(r, "r")
    if matrix.ndim == 1:
        matrix = matrix[None, :]
    if matrix.ndim != 2 or matrix.shape[1] != parameters or matrix.shape[0] == 0:
        raise ValueError(f"R must have shape (m, {parameters}), one column per parameter, got {_shape(matrix)}")
    if values.ndim > 1 or values.size not in (1, matrix.shape[0]):
        raise ValueError(f"r must be a number or have shape ({matrix.shape[0]},), got {_shape(values)}")
    matrix = matrix.astype(np.float64)
    values = np.broadcast_to(values.astype(np.float64).reshape(-1), matrix.shape[0])
    if not (np.isfinite(matrix).all() and np.isfinite(values).all()):
        raise ValueError("R and r must not contain infs or NaNs")
    return matrix, values


def bounds(pair, p):
    """(lower, upper) of shape (p,) from a pair or an object with lb and ub."""
    pair = (pair.lb, pair.ub) if hasattr(pair, "lb") and hasattr(pair, "ub") else pair
    try:
        sides = tuple(pair)
    except TypeError:
        sides = ()
    if len(sides) != 2:
        raise ValueError("bounds must be a pair: lower and upper")
    lower, upper = (real(side, "bounds").astype(np.float64) for side in sides)
    for side in (lower, upper):
        if side.shape not in ((), (1,), (p,)):
            raise ValueError(f"bounds must be scalars or have shape ({p},), got {_shape(side)}")
    lower, upper = (np.array(np.broadcast_to(side, (p,))) for side in (lower, upper))
    wrong = np.flatnonzero(~((lower <= upper) & (lower < np.inf) & (upper > -np.inf)))
    if wrong.size:
        j = wrong[0]
        raise ValueError(f"bounds of column {j}: {lower[j]} <= x <= {upper[j]} holds for no number")
    return lower, upper


def row_times(times, n, rows_of):
    """1-D int64, float64 or datetime64 array of n times that do not fall."""
    array = np.asarray(times)
    if array.shape != (n,):
        raise ValueError(f"times must have shape ({n},), one per row of {rows_of}, got {_shape(array)}")
    if array.dtype.kind not in "iufM":
        raise TypeError(f"times must be numbers or datetime64, got dtype {array.dtype}")
    if array.dtype.kind == "u" and array.max(initial=0) > np.iinfo(np.int64).max:
        raise ValueError("times must fit into 64 bits with a sign")
    if array.dtype.kind != "M":
        array = array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
    missing = np.flatnonzero(~np.isfinite(array))
    if missing.size:
        raise ValueError(f"times must be finite; times[{missing[0]}] is {array[missing[0]]}")
    falls = np.flatnonzero(array[1:] < array[:-1])
    if falls.size:
        row = falls[0] + 1
        raise ValueError(f"times must not fall; times[{row}] is {array[row]}, after {array[row - 1]}")
    return array


def time_span(span, name, times):
    """A positive length of time in the units of `times`: a number, or a timedelta64 for datetime64."""
    if times.dtype.kind == "M":
        if not isinstance(span, (np.timedelta64, timedelta)):
            raise TypeError(f"{name} must be a numpy.timedelta64 where times are datetime64, got {span!r}")
        span = np.timedelta64(span)
        if not span > np.timedelta64(0):
            raise ValueError(f"{name} must be > 0, got {span!r}")
        return span
    if not is_number(span):
        raise TypeError(f"{name} must be a number, got {span!r}")
    if not 0 < span < np.inf:
        raise ValueError(f"{name} must be > 0 and finite, got {span!r}")
    return span


def at_least_one(value, name):
    """An integer >= 1."""
    return whole_number(value, name, 1)


def whole_number(value, name, least):
    """An integer >= least."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer >= {least}, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer >= {least}, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be >= {least}, got {number}")
    return number


def target_number(value, name, k):
    """Which of k targets, from 0; a negative number counts from the end."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if not -k <= number < k:
        raise ValueError(f"{name} must be below the number of targets, {k}, got {number}")
    return number % k


def is_number(value):
    """Whether it is one real number; a truth value and a length of time are none."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(
        value, (bool, np.bool_, np.timedelta64)
    )


def number_up_to(value, name, most):
    """A finite number between 0 and `most`, which may be infinite, as a float."""
    if not is_number(value):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not 0 <= value <= most or value == np.inf:
        raise ValueError(f"{name} must be " + (f"between 0 and {most:g}" if np.isfinite(most) else ">= 0 and finite")
                         + f", got {value}")
    return float(value)


def rows_without_nan(x, y):
    """Which rows have no NaN in x (n, p) and y (n, 1); ValueError for infinities."""
    complete = np.ones(x.shape[0], bool)
    for name, array in (("X", x), ("y", y)):
        if array.dtype.kind != "f":
            continue
        complete &= ~np.isnan(array).any(axis=1)
        infinite = np.isinf(array)
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            raise ValueError(f"{name} must not contain infs; row {row}, column {column} is {array[row, column]}")
    return complete


def parameters(params, grads):
    """(params, grads) as lists of arrays that an optimizer can update in place; a gradient may be None."""
    if isinstance(params, np.ndarray):
        params, grads = [params], [grads]
    elif isinstance(grads, np.ndarray):
        raise TypeError("grads is one array, params a list: give a list of as many")
    params, grads = list(params), list(grads)
    if len(params) != len(grads):
        raise ValueError(f"params has {len(params)} arrays, grads has {len(grads)}")
    for i, param in enumerate(params):
        if not isinstance(param, np.ndarray) or isinstance(param, np.ma.MaskedArray):
            raise TypeError(f"params[{i}] must be a numpy.ndarray, got {type(param).__name__}")
        if param.dtype.char not in "df" or not param.dtype.isnative:
            raise TypeError(f"params[{i}] must be float64 or float32, got dtype {param.dtype}")
        flags = param.flags
        if not flags.writeable:
            raise ValueError(f"params[{i}] is read-only: it cannot be updated in place")
        if not flags.forc:
            raise ValueError(f"params[{i}] is not contiguous: it cannot be updated in place")
        if grads[i] is not None:
            grads[i] = _gradient(grads[i], param, i)
    return params, grads


def _gradient(grad, param, i):
    """The gradient in the memory order of its parameter."""
    if not isinstance(grad, np.ndarray) or isinstance(grad, np.ma.MaskedArray):
        raise TypeError(f"grads[{i}] must be a numpy.ndarray, got {type(grad).__name__}")
    if grad.shape != param.shape:
        raise ValueError(f"grads[{i}] has {_shape(grad)}, params[{i}] has {_shape(param)}")
    if grad.dtype != param.dtype:
        raise TypeError(f"grads[{i}] has dtype {grad.dtype}, params[{i}] has {param.dtype}")
    return np.asarray(grad, order="F" if is_fortran(param) else "C")


def is_fortran(array):
    """Whether its memory order is Fortran's and not also C's."""
    return array.flags.fnc


def check_apart(params):
    """Raise ValueError where two contiguous arrays share memory."""
    begin = [(param.__array_interface__["data"][0], param.nbytes, i) for i, param in enumerate(params) if param.size]
    begin.sort()
    for (start, length, i), (follower, _, j) in pairwise(begin):
        if follower < start + length:
            raise ValueError(f"params[{min(i, j)}] and params[{max(i, j)}] share memory")


def check_accuracy(accuracy):
    """Raise ValueError unless it is one there is."""
    if accuracy not in ("fast", "qr", "full"):
        raise ValueError(f"accuracy must be 'fast', 'qr' or 'full', got {accuracy!r}")


def check_weights(array):
    """Raise ValueError unless all weights are finite, non-negative and of a size that can be multiplied."""
    flat = array.reshape(-1)
    row = lib.first_bad_weight(flat)
    if row is not None:
        place = ", ".join(str(i) for i in np.unravel_index(row, array.shape))
        raise ValueError(f"weights must be finite and >= 0; weights[{place}] is {flat[row]}")
    largest = np.zeros(1)
    lib.column_max_abs(flat, largest)
    if largest[0] != 0 and not _WEIGHTS[0] <= largest[0] <= _WEIGHTS[1]:
        raise ValueError(
            f"the largest of the weights is {largest[0]:.3g}; scale them into {_WEIGHTS[0]:g} to {_WEIGHTS[1]:g}: "
            "that changes no coefficient"
        )


def check_finite(**arrays):
    """Raise ValueError naming the first NaN or infinity of the first array that has one."""
    for name, array in arrays.items():
        place = lib.first_nonfinite(array)
        if place is not None:
            refuse_nonfinite(name, array, *place)


def refuse_nonfinite(name, array, row, column):
    raise ValueError(f"{name} must not contain infs or NaNs; row {row}, column {column} is {array[row, column]}")


def result_dtype(a, b):
    """float32 where SciPy's lstsq answers in single precision, else float64."""
    return np.dtype(np.float32 if np.result_type(a, b, np.float16).itemsize <= 4 else np.float64)


def own_names(x):
    """Names of the columns of a data frame, or None."""
    columns = getattr(x, "columns", None)
    return None if columns is None else [str(name) for name in columns]


def column_names(x, names, p):
    """Names of the p columns: given, else those of a data frame, else x0, x1, ..."""
    if names is None:
        names = own_names(x) or [f"x{j}" for j in range(p)]
    names = [str(name) for name in names]
    if len(names) != p:
        raise ValueError(f"names has {len(names)} entries, X has {p} columns")
    return names


def check_unique(names):
    """The names, or ValueError where two are the same."""
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two columns of X have the name {name!r}: give names=")
        seen.add(name)
    return names


def typical_row(x, weights, rows):
    """Median of up to 31 rows of positive weight in the first block that has any; 0 where that is not finite.

    Also 0 where it is less than twice their median deviation from it: sums about 0 lose no digit to such a mean, and
    rows that are not shifted need not be packed.
    """
    for start in range(0, x.shape[0], rows):
        stop = min(start + rows, x.shape[0])
        found = np.arange(start, stop) if weights is None else start + np.flatnonzero(weights[start:stop] > 0)
        if found.size:
            break
    else:
        return np.zeros(x.shape[1])
    sample = x[found[:: max(1, found.size // 31)][:31]].astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        middle = np.sort(sample, axis=0)[sample.shape[0] // 2]
        spread = np.sort(np.abs(sample - middle), axis=0)[sample.shape[0] // 2]
        needed = np.isfinite(middle) & ~(np.abs(middle) <= 2.0 * spread)
    return np.where(needed, middle, 0.0)


def real(a, name):
    """Real array of a dtype the core reads."""
    if hasattr(a, "tocsr"):
        raise TypeError(f"{name} is a sparse matrix; pass a dense array")
    if isinstance(a, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; drop or fill the masked entries first")
    array = np.asarray(a)
    if array.dtype.kind == "c":
        raise TypeError(f"{name} is complex; fastlsq solves real problems")
    if array.dtype.kind not in "fbiu":
        raise TypeError(f"{name} must be numeric, got dtype {array.dtype}")
    if not array.dtype.isnative or array.dtype.char not in _READ_AS_IS:
        array = array.astype(np.float64 if array.dtype.kind == "f" and array.dtype.itemsize > 4
                             else array.dtype.newbyteorder("="))
    return array


def _shape(array):
    return f"shape {array.shape}"
