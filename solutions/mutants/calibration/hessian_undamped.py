"""Leaves the damping out.

task: calibration.gptq_hessian
says: hessian-without-damping
"""

def gptq_hessian(x, damping=0.01):
    return 2 * x.T @ x
