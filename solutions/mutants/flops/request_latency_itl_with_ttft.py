"""The first wait is taken for a gap.

task: flops.request_latency
says: itl-includes-ttft
"""


def request_latency(start, arrivals):
    if not arrivals:
        raise ValueError("[]")
    times = [start, *arrivals]
    for before, after in zip(times, arrivals):
        if after < before:
            raise ValueError(f"{after} is before {before}")
    itl = [b - a for a, b in zip(times, arrivals)]
    tpot = sum(itl) / len(itl) if itl else None
    total = arrivals[-1] - start
    return {"ttft": arrivals[0] - start, "itl": itl, "tpot": tpot, "total": total}
