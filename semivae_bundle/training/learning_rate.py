"""Where a learning-rate schedule stands, in epochs, so that it goes on with another number of steps to an epoch."""

from __future__ import annotations

from torch.optim.lr_scheduler import LambdaLR


class LearningRatePlace:
    """What a checkpoint keeps of `schedule`, which takes `epoch_length` steps an epoch: how many epochs are done.

    The schedule's own state holds its length as well; loaded into a longer training, the rate would turn and rise where
    the old one ended. Put it after the optimiser among the objects to keep. ValueError for a schedule whose rate is
    made of the rate before it: that of a place in between cannot be told.
    """

    def __init__(self, schedule: LambdaLR, epoch_length: int) -> None:
        if not isinstance(schedule, LambdaLR):
            raise ValueError(
                "learning rate: expected a LambdaLR, whose rate follows from the step, such as WarmupCosineSchedule, "
                f"found {type(schedule).__name__}; write it as a LambdaLR"
            )
        self.schedule, self.epoch_length = schedule, epoch_length

    def state_dict(self) -> dict[str, float]:
        """Epochs done."""
        return {"epochs": self.schedule.last_epoch / self.epoch_length}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go to that place, and set the rate of it. KeyError for the state of something else."""
        schedule = self.schedule
        schedule.last_epoch = round(state["epochs"] * self.epoch_length)
        # As the schedule itself computes it: MONAI's have a floor beside the factors.
        for group, rate in zip(schedule.optimizer.param_groups, schedule.get_lr(), strict=True):
            group["lr"] = rate
