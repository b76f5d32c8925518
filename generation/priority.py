"""How processes that compute give way to the bot's, whose loop is to answer at once."""

import os


def step_back(nice: int, *, threads: int = 1) -> None:
    """Lower the calling process's priority and leave the first core to others.

    A loop that has to wake up on a core where something else computes does so up to a millisecond
    late, whatever the priorities; that is why a core is left where there is one more than threads.
    Threads that run already stay where they are.

    Args:
        nice: how far to step back; with 0 all stays as it is.
        threads: those of this process that compute.
    """
    os.nice(nice)
    cores = sorted(os.sched_getaffinity(0))
    if nice and len(cores) > threads:
        os.sched_setaffinity(0, cores[1:])
