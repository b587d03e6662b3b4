"""A plain simulator that remembers who set off whom, apart from the package's own."""

import numpy as np


def branch(rates, reproduction, decay, duration, rng):
    """Times of each stream, and every event's parent, numbered through the streams."""
    rates, reproduction = np.atleast_1d(rates), np.atleast_2d(reproduction)
    times, streams, parents = [], [], []
    for k, rate in enumerate(rates):
        for t in rng.random(rng.poisson(rate * duration)) * duration:
            times.append(t), streams.append(k), parents.append(-1)
    i = 0
    while i < len(times):
        for k in range(len(rates)):
            number = rng.poisson(reproduction[k, streams[i]])
            for t in times[i] + rng.exponential(1 / decay, number):
                if t < duration:
                    times.append(t), streams.append(k), parents.append(i)
        i += 1
    times, streams = np.array(times), np.array(streams, int)
    order = np.lexsort((times, streams))
    number = np.empty(len(times), int)
    number[order] = np.arange(len(times))
    parent = np.array(parents, int)[order]
    parent = np.where(parent >= 0, number[parent], -1)
    return [np.sort(times[streams == k]) for k in range(len(rates))], parent
