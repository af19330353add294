"""torch's inverse of the normal distribution, as bitsandbytes makes the table.

task: quantization.nf4_table
"""

import torch


def nf4_table():
    top = 0.9677083
    above = torch.special.ndtri(torch.linspace(top, 0.5, 9)[:-1])
    below = -torch.special.ndtri(torch.linspace(top, 0.5, 8)[:-1])
    values = torch.cat([above, torch.zeros(1), below]).sort().values
    return values / values.max()
