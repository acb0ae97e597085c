# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
from typing import TextIO

from fastlsq import metrics as metrics
from fastlsq import optim as optim
from fastlsq import schedules as schedules
from fastlsq._threads import set_num_threads as set_num_threads
from fastlsq.connect.patch import patch as patch
from fastlsq.connect.patch import patched as patched
from fastlsq.connect.patch import unpatch as unpatch
from fastlsq.descent.glm import GLMResult as GLMResult
from fastlsq.descent.glm import MultinomialResult as MultinomialResult
from fastlsq.descent.glm import SeparationWarning as SeparationWarning
from fastlsq.descent.glm import glm as glm
from fastlsq.descent.robust_regression import RobustResult as RobustResult
from fastlsq.descent.robust_regression import robust_regression as robust_regression
from fastlsq.descent.sgd import SGDResult as SGDResult
from fastlsq.descent.sgd import sgd as sgd
from fastlsq.descent.split import train_test_split as train_test_split
from fastlsq.gram.collinear import Collinearity as Collinearity
from fastlsq.gram.elastic_net import ElasticNetPath as ElasticNetPath
from fastlsq.gram.elastic_net import ElasticNetResult as ElasticNetResult
from fastlsq.gram.elastic_net import elastic_net as elastic_net
from fastlsq.gram.elastic_net import elastic_net_path as elastic_net_path
from fastlsq.gram.elastic_net_cv import ElasticNetCVResult as ElasticNetCVResult
from fastlsq.gram.elastic_net_cv import elastic_net_cv as elastic_net_cv
from fastlsq.gram.gram import Gram as Gram
from fastlsq.gram.grouped import GroupedOLSResult as GroupedOLSResult
from fastlsq.gram.grouped import grouped_ols as grouped_ols
from fastlsq.gram.influence import Influence as Influence
from fastlsq.gram.ols import OLSResult as OLSResult
from fastlsq.gram.ols import ols as ols
from fastlsq.gram.prediction import Prediction as Prediction
from fastlsq.gram.ridge import RidgeResult as RidgeResult
from fastlsq.gram.ridge import ridge as ridge
from fastlsq.gram.ridge_cv import RidgeCVResult as RidgeCVResult
from fastlsq.gram.ridge_cv import ridge_cv as ridge_cv
from fastlsq.gram.ridge_path import RidgePath as RidgePath
from fastlsq.gram.ridge_path import ridge_path as ridge_path
from fastlsq.gram.rolling import RollingOLSResult as RollingOLSResult
from fastlsq.gram.rolling import ewm_ols as ewm_ols
from fastlsq.gram.rolling import expanding_ols as expanding_ols
from fastlsq.gram.rolling import rolling_ols as rolling_ols
from fastlsq.gram.streams import row_chunks as row_chunks
from fastlsq.gram.wald import WaldTest as WaldTest
from fastlsq.solve.batched import BatchInfo as BatchInfo
from fastlsq.solve.bounded import BoundedInfo as BoundedInfo
from fastlsq.solve.constrained import BoundedResult as BoundedResult
from fastlsq.solve.constrained import NNLSResult as NNLSResult
from fastlsq.solve.constrained import lsq_linear as lsq_linear
from fastlsq.solve.constrained import nnls as nnls
from fastlsq.solve.driver import SolveInfo as SolveInfo
from fastlsq.solve.equality import EqualityResult as EqualityResult
from fastlsq.solve.equality import lstsq_equality as lstsq_equality
from fastlsq.solve.lstsq import LstsqResult as LstsqResult
from fastlsq.solve.lstsq import lstsq as lstsq
from fastlsq.solve.polyfit import polyfit as polyfit

__all__ = [
    "BatchInfo", "BoundedInfo", "BoundedResult", "Collinearity", "ElasticNetCVResult", "ElasticNetPath",
    "ElasticNetResult", "EqualityResult", "GLMResult", "Gram", "GroupedOLSResult", "Influence", "LstsqResult",
    "MultinomialResult", "NNLSResult", "OLSResult", "Prediction", "RidgeCVResult", "RidgePath", "RidgeResult",
    "RobustResult", "RollingOLSResult", "SGDResult", "SeparationWarning", "SolveInfo", "WaldTest", "elastic_net",
    "elastic_net_cv", "elastic_net_path", "ewm_ols", "expanding_ols", "glm", "grouped_ols", "lsq_linear", "lstsq",
    "lstsq_equality", "metrics", "nnls", "ols", "optim", "patch", "patched", "polyfit", "ridge", "ridge_cv",
    "ridge_path", "robust_regression", "rolling_ols", "row_chunks", "schedules", "set_num_threads", "sgd",
    "show_config", "train_test_split", "unpatch",
]
__version__: str

def show_config(file: TextIO | None = None) -> None: ...
