"""More steps for an encoder that lags behind its decoder, at the start of a training (arXiv:1901.05534)."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from torch import Tensor, nn

logger = logging.getLogger(__name__)


class LaggingInference:
    """While it is active, `steps` steps of the encoder alone before each step, which then moves all but the encoder.

    A posterior collapses early on because the decoder learns to do without the code before the encoder has anything to
    say; so the encoder is first brought near the best it can do for the decoder of the moment. It descends `objective`,
    all of it: on the KL alone, as the method is often written down, the extra steps would do nothing but collapse it.

    `encoder`: the parameters that produce mean and log-variance. Each extra step takes the next batch of `loader`,
    which is gone through again and again within an epoch, and the trainer's own optimiser, and costs as much as a
    step. Its gradient is clipped to `max_norm`. The published method takes up to 100 steps, until the loss falls no
    more; here their number is fixed.

    It ends for good when `key`, the mutual information in the `validator`'s metrics, has not risen by `gain` nats over
    its best for `patience` validations, and at the latest after `last_epoch` epochs. A code whose information is near
    its ceiling at once, the logarithm of the number of subjects, does not lag, and this ends it after the first ones.
    The first validation is what the next are compared with, so this needs more than `patience` + 1 of them, one every
    `val_interval` epochs, within `last_epoch`; a warning says where a training is too short for it.

    Keep it in the checkpoints. Put it after the scheduler of the objective and after the clipping of the gradient.
    """

    def __init__(
        self,
        encoder: Collection[nn.Parameter],
        objective: Callable[[Any, Any], Tensor],
        loader: Collection[Any],
        validator: Engine,
        key: str,
        steps: int,
        max_norm: float,
        gain: float,
        patience: int,
        last_epoch: float,
        val_interval: int,
    ) -> None:
        self.encoder = list(encoder)
        if not self.encoder or steps < 1 or patience < 1:
            raise ValueError(
                "lagging inference: expected parameters of an encoder, steps >= 1 and patience >= 1, found "
                f"{len(self.encoder)} parameters, {steps=}, {patience=}"
            )
        self.objective, self.loader, self.validator, self.key = objective, loader, validator, key
        self.steps, self.max_norm, self.gain = steps, max_norm, gain
        self.patience, self.last_epoch, self.val_interval = patience, last_epoch, val_interval
        self.active, self.best, self.waited = True, -math.inf, 0
        self.batches: Iterator[Any] = iter(())

    def attach(self, engine: Engine) -> None:
        """Act around every step of the trainer, and look after every validation."""
        earliest = (self.patience + 1) * self.val_interval
        if math.floor(self.last_epoch) <= earliest:
            logger.warning(
                "lagging inference: ends after epoch %g whatever %s does, which could end it after epoch %d at the "
                "earliest; raise epochs or last_epoch, or lower patience or val_interval",
                self.last_epoch,
                self.key,
                earliest,
            )
        engine.add_event_handler(Events.EPOCH_STARTED, self.begin)
        engine.add_event_handler(Events.ITERATION_STARTED, self.advance_encoder)
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.keep_encoder)
        self.validator.add_event_handler(Events.COMPLETED, self.look)

    def begin(self, engine: Engine) -> None:
        """A fresh pass over the data in every epoch, so that a resumed run sees what an unbroken one would."""
        self.batches = iter(())
        if self.active and engine.state.epoch > self.last_epoch:
            self.end(f"epoch {self.last_epoch:g} is over")
        engine.state.metrics["lagging/active"] = float(self.active)

    def advance_encoder(self, engine: Engine) -> None:
        """The extra steps of one step."""
        if not self.active:
            return
        trainer: Any = engine
        trainer.network.train()
        for _ in range(self.steps):
            inputs, targets, *rest = trainer.prepare_batch(
                self.next_batch(), trainer.state.device, trainer.non_blocking, **trainer.to_kwargs
            )
            args, kwargs = rest or ((), {})
            trainer.optimizer.zero_grad()
            output = trainer.inferer(inputs, trainer.network, *args, **kwargs)
            self.objective(output, targets).mean().backward()
            norm = nn.utils.clip_grad_norm_(self.encoder, self.max_norm)
            if not torch.isfinite(norm):
                raise FloatingPointError(
                    f"lagging inference: non-finite gradient of the encoder in epoch {trainer.state.epoch}, before "
                    f"iteration {trainer.state.iteration}; lower the learning rate; the last checkpoint is good"
                )
            self.forget_gradient(trainer.optimizer, of_encoder=False)
            trainer.optimizer.step()

    def keep_encoder(self, engine: Engine) -> None:
        """The step itself leaves the encoder where it is."""
        if self.active:
            self.forget_gradient(engine.optimizer, of_encoder=True)

    def forget_gradient(self, optimizer: torch.optim.Optimizer, *, of_encoder: bool) -> None:
        """Without a gradient a parameter is left alone, its moments and weight decay too; with a zero one it is not."""
        ours = {id(parameter) for parameter in self.encoder}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if (id(parameter) in ours) is of_encoder:
                    parameter.grad = None

    def next_batch(self) -> Any:
        """The next batch; from the first one again after the last."""
        batch = next(self.batches, None)
        if batch is None:
            self.batches = iter(self.loader)
            batch = next(self.batches)
        return batch

    def look(self, validator: Engine) -> None:
        """Has the information risen?"""
        if not self.active or self.key not in validator.state.metrics:
            return
        information = float(validator.state.metrics[self.key])
        if information > self.best + self.gain:
            self.best, self.waited = information, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.end(f"{self.key} has not risen from {self.best:.3g} nats for {self.waited}")

    def end(self, reason: str) -> None:
        """For good."""
        self.active, self.batches = False, iter(())
        logger.info("the encoder takes no more extra steps: %s", reason)

    def state_dict(self) -> dict[str, float]:
        """Whether it is active, the best information, and the validations since."""
        return {"active": float(self.active), "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take over what `state_dict` gave."""
        self.active, self.best, self.waited = bool(state["active"]), float(state["best"]), int(state["waited"])
