"""Devices that work is timed on, all with one interface: a GPU, this computer's processor, and a simulated one.

    from llmlab import devices
    device = devices.best()          # the GPU if there is one, else the CPU; print it to see which
    device = devices.simulated()     # an asynchronous device on every computer, the same every time

A timer gets such a device as an argument and never asks which one it has. The methods are described in `base.Device`.
"""

from __future__ import annotations

import torch

from llmlab.devices.base import Device
from llmlab.devices.cpu import CpuDevice
from llmlab.devices.cuda import CudaDevice
from llmlab.devices.simulated import Kernel, SimulatedDevice, Span, simulated

__all__ = ["CpuDevice", "CudaDevice", "Device", "Kernel", "SimulatedDevice", "Span", "best", "simulated"]


def best() -> CpuDevice | CudaDevice:
    """The first CUDA device if there is one, else the CPU. Its `name` says which."""
    return CudaDevice() if torch.cuda.is_available() else CpuDevice()
