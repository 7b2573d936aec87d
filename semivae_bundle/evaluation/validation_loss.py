"""Whether the training had stopped getting better on scans that it did not learn from."""

from __future__ import annotations

import pandas as pd

from semivae_bundle.evaluation.verdict import Bounded

LOSS, WEIGHT = "val_epoch/loss", "weight/"


def loss_given_back(history: pd.DataFrame | None) -> Bounded:
    """Share of the validation loss's fall that it has risen since its least value, in [0, 1] or above.

    `history`: one row per epoch, as from `read_history`. Scale and sign of the loss don't count. Only epochs since the
    terms' weights stopped changing are compared: before, each is of another objective. Both losses are of the same
    scans, so there is nothing left to chance between them, and the bounds are the value.
    """
    if history is None or LOSS not in history:
        return Bounded(None, None, None, "no metrics.csv with a validation loss beside the evaluation")
    loss = history[LOSS].dropna()
    weights = history[[name for name in history.columns if str(name).startswith(WEIGHT)]].ffill()
    if weights.shape[1]:
        changed = weights.index[weights.diff().abs().gt(1e-9).any(axis=1)]
        loss = loss[loss.index >= changed.max()] if len(changed) else loss
    if len(loss) < 2:
        return Bounded(None, None, None, "fewer than two validations since the weights of the terms stopped changing")
    least, fall = float(loss.min()), float(loss.iloc[0] - loss.min())
    given_back = float(loss.iloc[-1]) - least
    value = given_back / fall if fall > 0 else float(given_back > 0)
    note = (
        f"least {least:.6g} at epoch {loss.idxmin()}, last {loss.iloc[-1]:.6g} at epoch {loss.index[-1]}, "
        f"compared from epoch {loss.index[0]}"
    )
    return Bounded(value, value, value, note)
