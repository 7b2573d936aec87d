"""An objective with parameters of its own, in one process and in two."""

import os
from pathlib import Path

import torch
from ignite.engine import Engine
from monai.engines import IterationEvents
from torch import nn

from semivae_bundle.training.objective_parameters import SharedObjective


def step_of(objective: nn.Linear, inputs: torch.Tensor) -> None:
    """One step of gradient descent on the mean square of the outputs, through an engine."""
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)

    def step(engine: Engine, batch: torch.Tensor) -> None:
        objective(batch).square().mean().backward()
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
        optimizer.step()

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    SharedObjective(objective).attach(engine)
    engine.run([inputs])


def an_objective(seed: int) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(3, 2)


def inputs() -> torch.Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


def in_a_process(rank: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "RANK": str(rank), "WORLD_SIZE": "2"}
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    objective = an_objective(seed=rank)
    objective.frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
    step_of(objective, inputs()[4 * rank : 4 * rank + 4])
    assert objective.frozen.grad is None  # else weight decay would move it
    del objective.frozen
    torch.save(objective.state_dict(), f"{folder}/{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_take_the_step_of_one_on_the_joined_batch_from_the_first_one_s_start(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(in_a_process, args=(str(tmp_path),), nprocs=2)
    alone = an_objective(seed=0)
    step_of(alone, inputs())
    assert not torch.equal(alone.weight, an_objective(seed=0).weight)
    for rank in (0, 1):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt", weights_only=True), dict(alone.state_dict()))
