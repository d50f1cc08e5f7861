"""Which accelerators there are on this machine, and how a process is kept to its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import structlog

log = structlog.get_logger()

_SHARED_NODES: Final = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")


class DeviceFinder(Protocol):
    """Finds accelerators. What it returns must be the same after a restart: it is written down who owns which."""

    def find(self) -> Sequence[str]:
        """Return the accelerators' names, as CUDA_VISIBLE_DEVICES takes them."""

    def nodes(self, devices: Sequence[str]) -> Sequence[str]:
        """Return the files below ``/dev`` that a process needs to use these accelerators, and none of the others."""


class NoDevices:
    """A machine without accelerators."""

    def find(self) -> Sequence[str]:
        """Return none."""
        return ()

    def nodes(self, devices: Sequence[str]) -> Sequence[str]:
        """Return none."""
        del devices
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

    def nodes(self, devices: Sequence[str]) -> Sequence[str]:
        """Return each card's file and those that all cards share. Without the driver: only the latter."""
        return (*_SHARED_NODES, *(f"/dev/nvidia{number}" for number in self._minors(devices)))

    def _minors(self, devices: Sequence[str]) -> Sequence[int]:
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return ()
        try:
            return [int(pynvml.nvmlDeviceGetMinorNumber(pynvml.nvmlDeviceGetHandleByUUID(one))) for one in devices]
        except pynvml.NVMLError as error:
            log.warning("The files of accelerators cannot be found", error=str(error))
            return ()
        finally:
            pynvml.nvmlShutdown()
