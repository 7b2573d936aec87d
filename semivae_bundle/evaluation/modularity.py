"""Modularity: does a code hold one factor only?"""

from __future__ import annotations

import numpy as np

from semivae_bundle.evaluation.bootstrap import FloatArray


def modularity(information: FloatArray) -> float:
    r"""Mean over codes of $1 - \sum_{f \ne f^*} m_f^2 / (m_{f^*}^2 (K - 1))$, f* the factor held most
    (arXiv:1802.05312, eq. 2): information (L, K) -> in [0, 1].

    A code without any information is left out: it is not modular but unused. NaN where none is left, or for one factor
    alone. Estimates of pure noise look modular, so set those that chance reaches to 0 before. It doesn't mind several
    codes that hold the same factor; MIG and SAP do.
    """
    used = information[information.max(axis=1) > 0]
    if not len(used) or information.shape[1] < 2:
        return float("nan")
    squared = np.square(used / used.max(axis=1, keepdims=True))
    return float((1 - (squared.sum(axis=1) - 1) / (information.shape[1] - 1)).mean())
