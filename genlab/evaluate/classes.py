"""Samples by class, as a classifier trained on real examples sees them."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int


def classifier(real: Float[np.ndarray, "n d"], label: Int[np.ndarray, " n"]) -> Any:
    """scikit-learn's default support vector classifier, fitted to real features in [0, 1] of two classes or more."""
    from sklearn.svm import SVC

    return SVC().fit(real, label)


def class_shares(fitted: Any, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " classes"]:
    """Share of the rows that `fitted` assigns to each of the classes it was trained on, in their order."""
    return (fitted.predict(x)[:, None] == fitted.classes_).mean(0)
