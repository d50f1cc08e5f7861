"""Which accelerators there are on this machine, and how a process is kept to its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog

log = structlog.get_logger()


class DeviceFinder(Protocol):
    """Finds accelerators. What it returns must be the same after a restart: it is written down who owns which."""

    def find(self) -> Sequence[str]:
        """Return the accelerators' names, as CUDA_VISIBLE_DEVICES takes them."""


class NoDevices:
    """A machine without accelerators."""

    def find(self) -> Sequence[str]:
        """Return none."""
        return ()


class NvmlDevices:
    """NVIDIA cards by their UUIDs, which stay the same over restarts; a card's number need not.

    Needs the package nvidia-ml-py and a driver; without either there are no accelerators, and a line in the log says
    why. A card that is cut up (MIG) counts as the whole card.
    """

    def find(self) -> Sequence[str]:
        """Return the UUIDs of all cards, in the driver's order."""
        try:
            import pynvml
        except ImportError:
            log.warning("No accelerators: the package nvidia-ml-py is not installed")
            return ()
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            log.warning("No accelerators: the NVIDIA driver does not answer", error=str(error))
            return ()
        try:
            handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
            return tuple(str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles)
        except pynvml.NVMLError as error:
            log.warning("No accelerators: the NVIDIA driver cannot list its cards", error=str(error))
            return ()
        finally:
            pynvml.nvmlShutdown()
