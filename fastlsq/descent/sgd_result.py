# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What `sgd` returns: coefficients, the history, predictions, and a model that can learn on."""

import numpy as np

from fastlsq import _arrays
from fastlsq.descent import losses, sparse
from fastlsq.descent.chunks import class_weighted
from fastlsq.descent.training import DivergedError, checked_rows


class SGDResult:
    """A linear model trained by gradient descent.

    Attributes
    ----------
    coef : ndarray, shape (p,) or (k, p)
        In the units of X; one row for each target, or for each class where there are more than two.
    intercept : float or ndarray, shape (k,)
    classes : ndarray or None
        Sorted labels of a loss that classifies.
    loss : str
        Its name: 'logistic' with more than two labels becomes 'softmax'.
    history : dict of list
        For every epoch: 'loss' (mean over its batches, each before its step, without penalties), 'validation' (the
        same of the validation rows, after the epoch; NaN without), 'learning_rate' (the last), 'gradient_norm' (of the
        last batch, penalties included), 'seconds'.
    initial_loss : float
        Mean loss before the first step.
    n_epochs, n_steps : int
    status : str
        'finished' (all epochs), 'converged' (a tolerance was met), 'stopped early', 'stopped by a callback',
        'interrupted', or 'diverged'.
    converged : bool
        Whether a tolerance was met.
    best_epoch : int or None
        Where early stopping took the coefficients from, from 0.
    backoffs : list of dict
        Each time that the loss grew out of bounds: 'epoch', 'loss', 'learning_rate' and 'factor', what rates were
        multiplied by from then on.
    learning_rate : float
        The first one: given, or found.
    names : list of str
    """

    def __init__(self, training, names, learning_rate, initial_loss):
        self._training = training
        self.names, self.learning_rate = names, learning_rate
        self.history = {"loss": [], "validation": [], "learning_rate": [], "gradient_norm": [], "seconds": []}
        self.initial_loss = initial_loss
        self.status, self.best_epoch, self.backoffs = "finished", None, []

    def __repr__(self):
        last = f", loss {self.history['loss'][-1]:.6g}" if self.history["loss"] else ""
        return (f"SGDResult({self.loss}, {len(self.names)} columns, {self.n_epochs} epochs, {self.n_steps} steps{last},"
                f" {self.status})")

    @property
    def loss(self):
        return self._training.loss.name

    @property
    def classes(self):
        return self._training.targets.classes

    @property
    def coef(self):
        slopes = self._training.coefficients()[0]
        return slopes[0] if self._is_flat else slopes

    @property
    def intercept(self):
        intercepts = self._training.coefficients()[1]
        return float(intercepts[0]) if self._is_flat else intercepts

    @property
    def _is_flat(self):
        return self._training.targets.predictors == 1 and self._training.targets.flat

    @property
    def n_steps(self):
        return self._training.steps

    @property
    def n_epochs(self):
        return self._training.epochs

    @property
    def seed(self):
        return self._training.seed

    @property
    def converged(self):
        return self.status == "converged"

    # ---- predictions -------------------------------------------------------------------------------------------------

    def decision_function(self, X):
        """Linear predictors, shape (n,) or (n, k)."""
        eta = self._predictors(X)
        return eta[:, 0] if self._is_flat else eta

    def predict(self, X):
        """Predicted targets, means (poisson) or labels, shape (n,) or (n, k)."""
        return losses.predicted(self._training.loss, self._training.targets, self._predictors(X))

    def predict_proba(self, X):
        """Shares of every class, shape (n, classes); of logistic and softmax losses."""
        return losses.probabilities(self._training.loss, self._training.targets, self._predictors(X))

    def _predictors(self, X):
        training = self._training
        x = sparse.rows_of(X, "X")
        if x.shape[1] != training.p:
            raise ValueError(f"X has {x.shape[1]} columns, the model was trained with {training.p}")
        slopes, intercepts = training.coefficients()
        return sparse.predictors(x, slopes, intercepts, training.n_threads)

    # ---- learning on -------------------------------------------------------------------------------------------------

    def partial_fit(self, X, y, weights=None):
        """Learn from more rows: once, in their order, going on with schedule, optimizer and units as they are.

        Batches are as long as before; after 'saga' steps are plain.  With ``batch_size=1`` any cut of the rows into
        calls gives the same bits.

        Parameters
        ----------
        X : array_like, shape (n, p)
        y : array_like, shape (n,) or (n, k)
            No labels but those that are known.
        weights : array_like, shape (n,), optional
            In the units of the weights that `sgd` was given: their mean there is one row; class_weight
            multiplies them.

        Returns
        -------
        SGDResult
            This one, changed.

        Raises
        ------
        ValueError
            Bad arrays, and where the loss is no number any more; the model is then as it was.

        Examples
        --------
        >>> import numpy as np, fastlsq as fl
        >>> rng = np.random.default_rng(0)
        >>> X = rng.standard_normal((2000, 2))
        >>> y = X @ [2.0, 3.0]
        >>> fit = fl.sgd(X[:1000], y[:1000])
        >>> fit.partial_fit(X[1000:], y[1000:]).coef.round(2)
        array([2., 3.])
        """
        training = self._training
        x = sparse.rows_of(X, "X")
        n = x.shape[0]
        if x.shape[1] != training.p:
            raise ValueError(f"X has {x.shape[1]} columns, the model was trained with {training.p}")
        weights = _arrays.row_weights(weights, n, "X")
        weights = None if weights is None else np.ascontiguousarray(weights, np.float64)
        target = losses.encoded(training.loss, training.targets, y, n)
        weights = class_weighted(weights, target, training.class_factors)
        if n == 0:
            return self
        before = training.snapshot()
        training.saga = None  # slopes of other rows
        if training.columns.grows:
            training.grow(x)
        try:
            training.epoch(training.rows(x, target, weights), shuffled=False)
        except DivergedError as error:
            training.restore(before)
            checked_rows(x, weights)
            raise ValueError(f"partial_fit: {error}; the learning rate is too large for these rows") from None
        return self
