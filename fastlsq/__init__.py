# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Least squares on CPUs: one fused pass over the rows, every answer checked."""

_HOME = {
    "BatchInfo": "fastlsq.solve.batched",
    "BoundedInfo": "fastlsq.solve.bounded",
    "BoundedResult": "fastlsq.solve.constrained",
    "Collinearity": "fastlsq.gram.collinear",
    "ElasticNetCVResult": "fastlsq.gram.elastic_net_cv",
    "ElasticNetPath": "fastlsq.gram.elastic_net",
    "ElasticNetResult": "fastlsq.gram.elastic_net",
    "EqualityResult": "fastlsq.solve.equality",
    "GLMResult": "fastlsq.descent.glm",
    "Gram": "fastlsq.gram.gram",
    "GroupedOLSResult": "fastlsq.gram.grouped",
    "Influence": "fastlsq.gram.influence",
    "LstsqResult": "fastlsq.solve.lstsq",
    "MultinomialResult": "fastlsq.descent.glm",
    "NNLSResult": "fastlsq.solve.constrained",
    "OLSResult": "fastlsq.gram.ols",
    "Prediction": "fastlsq.gram.prediction",
    "RidgeCVResult": "fastlsq.gram.ridge_cv",
    "RidgePath": "fastlsq.gram.ridge_path",
    "RidgeResult": "fastlsq.gram.ridge",
    "RobustResult": "fastlsq.descent.robust_regression",
    "RollingOLSResult": "fastlsq.gram.rolling",
    "SGDResult": "fastlsq.descent.sgd",
    "SeparationWarning": "fastlsq.descent.glm",
    "SolveInfo": "fastlsq.solve.driver",
    "WaldTest": "fastlsq.gram.wald",
    "elastic_net": "fastlsq.gram.elastic_net",
    "elastic_net_cv": "fastlsq.gram.elastic_net_cv",
    "elastic_net_path": "fastlsq.gram.elastic_net",
    "ewm_ols": "fastlsq.gram.rolling",
    "expanding_ols": "fastlsq.gram.rolling",
    "glm": "fastlsq.descent.glm",
    "grouped_ols": "fastlsq.gram.grouped",
    "lsq_linear": "fastlsq.solve.constrained",
    "lstsq": "fastlsq.solve.lstsq",
    "lstsq_equality": "fastlsq.solve.equality",
    "nnls": "fastlsq.solve.constrained",
    "ols": "fastlsq.gram.ols",
    "patch": "fastlsq.connect.patch",
    "patched": "fastlsq.connect.patch",
    "polyfit": "fastlsq.solve.polyfit",
    "ridge": "fastlsq.gram.ridge",
    "ridge_cv": "fastlsq.gram.ridge_cv",
    "ridge_path": "fastlsq.gram.ridge_path",
    "robust_regression": "fastlsq.descent.robust_regression",
    "rolling_ols": "fastlsq.gram.rolling",
    "row_chunks": "fastlsq.gram.streams",
    "set_num_threads": "fastlsq._threads",
    "sgd": "fastlsq.descent.sgd",
    "train_test_split": "fastlsq.descent.split",
    "unpatch": "fastlsq.connect.patch",
}
_MODULES = ("metrics", "optim", "schedules")
__all__ = sorted([*_HOME, *_MODULES, "show_config"])
__version__ = "0.1.0"


def __getattr__(name):
    """Import a public name when it is first used: `import fastlsq` itself costs next to nothing."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"fastlsq.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'fastlsq' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))


def show_config(file=None):
    """Print version, kernel, OpenMP, threads and why, and the BLAS of NumPy and SciPy.

    Parameters
    ----------
    file : file-like, optional
        Where to print; standard output by default.

    Examples
    --------
    >>> import fastlsq
    >>> fastlsq.show_config()  # doctest: +ELLIPSIS
    fastlsq ...
    """
    from fastlsq._config import show_config

    show_config(file)
