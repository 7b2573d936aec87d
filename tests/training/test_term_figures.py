"""The handlers of extra terms with a state of their own."""

import pytest
from ignite.engine import Events

from semivae_bundle.losses.capacity import CapacityGap
from semivae_bundle.losses.learned_noise import LearnedNoiseRegression
from semivae_bundle.training.schedules import Constant, LinearRamp
from semivae_bundle.training.term_figures import CapacityScheduler, LogLearnedNoise


@pytest.mark.parametrize("resumed_after", [0, 1])
def test_the_capacity_rises_with_every_step_and_is_logged(make_engine, resumed_after: int) -> None:
    term, engine, seen = CapacityGap({"vol": 1, "loc": 1}, {"vol": 8.0, "loc": 3.0}), make_engine(), []
    CapacityScheduler(term, {"vol": LinearRamp(0, 4), "loc": Constant(1.0)}).attach(engine)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: seen.append(term.now()["vol"]))

    @engine.on(Events.STARTED)
    def resume() -> None:
        engine.state.epoch, engine.state.iteration = resumed_after, 2 * resumed_after

    engine.run([0, 0], max_epochs=2)
    assert seen == [0.0, 1.0, 2.0, 3.0][2 * resumed_after :]
    assert engine.state.metrics == {"capacity/vol": 3.0, "capacity/loc": 3.0}


def test_a_partition_without_a_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a schedule for each of \['vol'\], found \['loc'\]"):
        CapacityScheduler(CapacityGap({"vol": 1}, {"vol": 1.0}), {"loc": Constant(1.0)})


def test_the_learned_noise_is_logged_before_the_epoch_ends_wherever_the_handler_stands(make_engine) -> None:
    term, engine, seen = LearnedNoiseRegression({"vol": 2}, 0.15), make_engine(), []
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: seen.append(dict(engine.state.metrics)))
    engine.add_event_handler(Events.ITERATION_COMPLETED(every=2), lambda: term.log_var.data.fill_(0.0))
    LogLearnedNoise(term).attach(engine)
    engine.run([0, 0])
    assert seen == [{"noise/vol": pytest.approx(1.0)}]
