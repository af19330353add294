"""The whole time over the number of tokens.

task: flops.request_latency
says: tpot-includes-ttft
"""


def request_latency(start, arrivals):
    if not arrivals:
        raise ValueError("[]")
    times = [start, *arrivals]
    for before, after in zip(times, arrivals):
        if after < before:
            raise ValueError(f"{after} is before {before}")
    itl = [b - a for a, b in zip(arrivals, arrivals[1:])]
    tpot = (arrivals[-1] - start) / len(arrivals)
    total = arrivals[-1] - start
    return {"ttft": arrivals[0] - start, "itl": itl, "tpot": tpot, "total": total}
