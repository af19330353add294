"""Takes the arrival of the first token for the wait.

task: flops.request_latency
says: ttft-is-a-clock-reading
"""


def request_latency(start, arrivals):
    if not arrivals:
        raise ValueError("[]")
    times = [start, *arrivals]
    for before, after in zip(times, arrivals):
        if after < before:
            raise ValueError(f"{after} is before {before}")
    itl = [b - a for a, b in zip(arrivals, arrivals[1:])]
    tpot = sum(itl) / len(itl) if itl else None
    total = arrivals[-1] - start
    return {"ttft": arrivals[0], "itl": itl, "tpot": tpot, "total": total}
