"""What a run was trained with and on: libraries, processor, device, threads."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

import rungwise
from rungwise.native import kernels
from rungwise.training import precision


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Return plain facts for `environment.json` and `rungwise doctor`."""
    return {
        "rungwise": rungwise.__version__,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "kernels": kernels() is not None,
        "bfloat16": precision.bfloat16_is_fast(device),
    }


def processor_name() -> str:
    """Return the processor's name as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
