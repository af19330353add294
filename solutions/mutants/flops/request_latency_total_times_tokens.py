"""The blog's total: TTFT + TPOT * N.

task: flops.request_latency
says: total-multiplies-by-tokens
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
    total = arrivals[0] - start + (tpot or 0) * len(arrivals)
    return {"ttft": arrivals[0] - start, "itl": itl, "tpot": tpot, "total": total}
