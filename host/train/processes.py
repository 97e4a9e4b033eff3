# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes that train one network together, through Hugging Face ``accelerate``.

::

    ./semcom train NAME --processes 2
      └ launch        starts them, watches them, and ends all where one ends badly
         ├ rank 0     draws its part of the batch  ┐ gradients averaged   logs, validates, writes
         └ rank 1     draws its part of the batch  ┘ at each step

Every process runs the whole command and reaches :func:`host.train.loop.train` with a :class:`Team`
in ``args.team``; a run of one process has :data:`ALONE` there, and never imports ``accelerate``.
Processes meet through a file and talk over loopback, so no port is open to others, and no
configuration file is read.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import tempfile
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import nn

from semcom_blocks import errors
from semcom_blocks.errors import ConfigError, PeerError, SemcomError

GRACE_S = 2.0  # for the others to end by themselves once one has ended
MEET_TIMEOUT = timedelta(hours=1)  # one prepares its data, or validates, and the others wait
POLL_S = 1.0


class Alone:
    """One process: what a :class:`Team` does, without anybody to talk to."""

    rank, size = 0, 1

    def prepare(self, module: nn.Module) -> nn.Module:
        """The module whose backward pass averages gradients over the team."""
        return module

    def autocast(self, bfloat16: bool) -> AbstractContextManager:
        """Mixed precision of a step."""
        return torch.autocast("cpu", torch.bfloat16, enabled=bfloat16)

    def agree(self, value: float) -> float:
        """Rank 0's value, on all."""
        return value

    def gather(self, value: Any) -> list:
        """Everybody's value, in the order of ranks, on all."""
        return [value]


ALONE = Alone()


class Team(Alone):
    """One of several processes, as :func:`launch` starts them."""

    def __init__(self, rank: int, size: int, threads: int, folder: Path, bfloat16: bool) -> None:
        """``folder``: where the processes find each other."""
        self.rank, self.size = rank, size
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
        os.environ |= {key: str(value) for key, value in places.items()}
        os.environ |= {
            "OMP_NUM_THREADS": str(threads),  # or accelerate chooses another number
            "ACCELERATE_USE_CPU": "true",
            "GLOO_SOCKET_IFNAME": _loopback(),
        }
        from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs

        # Not every step of every training uses every weight: scenes or photos, one head of two.
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        meeting = InitProcessGroupKwargs(
            backend="gloo", init_method=f"file://{folder / 'meeting'}", timeout=MEET_TIMEOUT
        )
        self.accelerator = Accelerator(
            cpu=True,
            mixed_precision="bf16" if bfloat16 else "no",
            kwargs_handlers=[unused, meeting],
        )

    def prepare(self, module: nn.Module) -> nn.Module:
        return self.accelerator.prepare_model(module)

    def autocast(self, bfloat16: bool) -> AbstractContextManager:
        return self.accelerator.autocast()  # as the accelerator was made

    def agree(self, value: float) -> float:
        from accelerate.utils import broadcast

        return broadcast(torch.tensor(value, dtype=torch.float64)).item()

    def gather(self, value: Any) -> list:
        from accelerate.utils import gather_object

        return gather_object([value])


def _loopback() -> str:
    """The name of the loopback interface, ``lo`` on Linux."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def check(args: argparse.Namespace) -> None:
    """Refuse a batch that cannot be shared equally: the mean of means would not be the mean."""
    if args.batch % args.processes:
        raise ConfigError(
            f"batch is {args.batch}, permitted: multiples of processes, {args.processes}"
        )


def launch(args: argparse.Namespace) -> int:
    """Run ``args.run(args)`` in ``args.processes`` processes; returns the exit code.

    Each gets ``args.batch / args.processes`` examples of a step and ``args.threads`` threads, by
    default an equal share of the processors. Raises what a process raised, and
    :class:`PeerError` where one was killed; none is left then.
    """
    from torch.multiprocessing import (
        ProcessExitedException,
        ProcessRaisedException,
        start_processes,
    )

    check(args)
    processors = len(os.sched_getaffinity(0))
    args.threads = args.threads or max(1, processors // args.processes)
    level = logging.getLogger().level
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # one line, ours
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # read by the processes when torch loads
    with tempfile.TemporaryDirectory(prefix="semcom-train-") as name:
        folder = Path(name)
        context = start_processes(
            _work, (args, folder, level), args.processes, join=False, start_method="spawn"
        )
        assert context is not None
        try:
            while not context.join(POLL_S, GRACE_S):
                pass
        except ProcessExitedException as gone:
            _explain(context.processes, folder)
            raise PeerError(f"{gone}, one of {args.processes}") from None
        except ProcessRaisedException:  # with its traceback, unless it only missed another
            _explain(context.processes, folder)
            raise
        finally:
            for process in context.processes:
                process.terminate()
            for process in context.processes:
                process.join(GRACE_S)
                process.kill()
                process.join()
    return 0


def _explain(processes: list, folder: Path) -> None:
    """Raise what tells best why a process ended: one was killed, or had a named error."""
    for rank, process in enumerate(processes):
        code = process.exitcode
        if code is not None and code < 0 and code != -signal.SIGTERM:
            raise PeerError(
                f"process {rank} of {len(processes)} was ended by {signal.Signals(-code).name}; "
                "--resume goes on from the last checkpoint"
            ) from None
    for path in sorted(folder.glob("error-*.json")):
        kind, text = json.loads(path.read_text(encoding="utf-8"))
        raise getattr(errors, kind)(text) from None


def _leave(team: Team) -> None:
    """End this process, once all have come here, without taking down the interpreter.

    Gloo's threads may still hold tensors when the interpreter goes; freeing them then needs a lock
    that is gone, and the process aborts after its work was done.
    """
    team.accelerator.wait_for_everyone()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _work(rank: int, args: argparse.Namespace, folder: Path, level: int) -> None:
    """Be one of the processes."""
    logging.basicConfig(
        level=level if rank == 0 else logging.ERROR,
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
    )
    if rank:  # one speaks for all
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    torch.set_num_threads(args.threads)
    try:
        bfloat16 = args.precision == "bfloat16"
        args.team = Team(rank, args.processes, args.threads, folder, bfloat16)
        args.batch //= args.processes
        args.run(args)
        _leave(args.team)
    except SemcomError as error:
        text = json.dumps([type(error).__name__, str(error)])
        (folder / f"error-{rank}.json").write_text(text, encoding="utf-8")
        sys.exit(error.exit_code)
