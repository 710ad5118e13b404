"""Percentiles of times, which are sorted."""

SHARES = (.1, .25, .5, .75, .9, .95, .99, .995, .999, .9999)


def rank(times, share):
    return times[min(len(times) - 1, int(len(times) * share))]


def curve(times):
    """[[share, time], …], as the load generator prints them."""
    return [[share, rank(times, share)] for share in SHARES]
