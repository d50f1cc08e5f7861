"""Which accelerators there are on this machine, and how a process is kept to its own."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import structlog

from leasebook.domain.cards import Cards

log = structlog.get_logger()

_SHARED_FILES: Final = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
_DRIVER: Final = Path("/proc/driver")
_UUIDS: Final = ("GPU-", "MIG-")
_EVERYBODY: Final = stat.S_IROTH | stat.S_IWOTH


class DeviceFinder(Protocol):
    """Finds accelerators. Their names must be the same after a restart: the owner of each is stored by name."""

    def find(self) -> Sequence[str]:
        """Return the accelerators' names."""

    def nodes(self, devices: Sequence[str]) -> Sequence[str]:
        """Return the files below ``/dev`` that a process needs to use these accelerators, and none of the others."""

    def visible(self, devices: Sequence[str], *, alone: bool) -> Sequence[str]:
        """Return what CUDA_VISIBLE_DEVICES has to say of these. ``alone``: no others are there for the process."""


class NoDevices:
    """A machine without accelerators."""

    def find(self) -> Sequence[str]:
        """Return none."""
        return ()

    def nodes(self, devices: Sequence[str]) -> Sequence[str]:
        """Return none."""
        del devices
        return ()

    def visible(self, devices: Sequence[str], *, alone: bool) -> Sequence[str]:
        """Return them."""
        del alone
        return devices


class NotDevice(Exception):
    """A path that an operator declared as a device file is none; the message says what it is."""


class DeclaredDevices:
    """The cards that an operator has declared. Raises NotDevice for a file that is there and is no character device."""

    def __init__(self, cards: Cards) -> None:
        self._cards = cards
        self._there = tuple(name for name, files in cards.files.items() if all(map(_is_device, files)))
        for name, files in cards.files.items():
            if name not in self._there:
                log.warning(
                    "An accelerator is not there", name=name, missing=[file for file in files if not _is_device(file)]
                )
        for file in cards.shared:
            _is_device(file)

    def find(self) -> Sequence[str]:
        """Return the names of those whose files were all there, in the order in which they were declared."""
        return self._there

    def nodes(self, devices: Sequence[str]) -> Sequence[str]:
        """Return each card's files and those that all cards share."""
        return (*self._cards.shared, *(file for name in devices for file in self._cards.files.get(name, ())))

    def visible(self, devices: Sequence[str], *, alone: bool) -> Sequence[str]:
        """Return UUIDs as they are, and else numbers: from 0, as drivers count what a process sees."""
        if all(name.startswith(_UUIDS) for name in devices):
            return devices
        seen = devices if alone else self._there
        return [str(list(seen).index(name)) for name in devices if name in seen]


def _is_device(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - the path is a text here
    except OSError:
        return False
    if not stat.S_ISCHR(mode):
        raise NotDevice(f"{path} is no character device")
    return True


def say_unusable(files: Sequence[str], *, own_uids: bool) -> None:
    """Write into the log which device files replicas would not be let into by the system."""
    for path in files:
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - the path is a text here
        except OSError:
            continue
        usable = mode & _EVERYBODY == _EVERYBODY if own_uids else os.access(path, os.R_OK | os.W_OK)
        if not usable:
            log.warning(
                "Replicas may not use a device file",
                path=path,
                mode=f"{stat.S_IMODE(mode):04o}",
                ask='MODE="0666" by udev',
            )


class NvmlDevices:
    """NVIDIA cards by their UUIDs, which stay the same over restarts; a card's number need not.

    They are asked of the package nvidia-ml-py, where that is installed, and else of what the driver lists; without a
    driver there are no accelerators. A card that is cut up (MIG) counts as the whole card.
    """

    def __init__(self, driver: Path = _DRIVER) -> None:
        self._driver = driver

    def find(self) -> Sequence[str]:
        """Return the UUIDs of all cards, in the driver's order."""
        try:
            import pynvml
        except ImportError:
            listed = tuple(self._listed())
            if not listed:
                log.warning(
                    "No accelerators: the package nvidia-ml-py is not installed, and no NVIDIA driver lists any"
                )
            return listed
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
        """Return each card's files and those that all cards share. Without the driver: only the latter."""
        own = (file for minor in self._minors(devices) for file in (f"/dev/nvidia{minor}", *self._parts(minor)))
        return (*_SHARED_FILES, *own)

    def visible(self, devices: Sequence[str], *, alone: bool) -> Sequence[str]:
        """Return them: a UUID is the same wherever it is seen from."""
        del alone
        return devices

    def _listed(self) -> Mapping[str, int]:
        """Return the minor number of each card's file by its UUID, as the driver lists them."""
        found = {}
        for path in sorted(self._driver.glob("nvidia/gpus/*/information")):
            fields = dict(re.findall(r"^([^:\n]+):[ \t]*(\S+)[ \t]*$", path.read_text(errors="replace"), re.MULTILINE))
            uuid, minor = fields.get("GPU UUID", ""), fields.get("Device Minor", "")
            if uuid.startswith(_UUIDS) and "?" not in uuid and minor.isdigit():
                found[uuid] = int(minor)
        return found

    def _parts(self, minor: int) -> Sequence[str]:
        """Return the files by which a card's own parts are used, where it is cut up. Not those by which it is cut."""
        try:
            listed = (self._driver / "nvidia-caps" / "mig-minors").read_text()
        except OSError:
            return ()
        numbers = re.findall(rf"^gpu{minor}/\S+ ([0-9]+)$", listed, re.MULTILINE)
        return [f"/dev/nvidia-caps/nvidia-cap{number}" for number in numbers]

    def _minors(self, devices: Sequence[str]) -> Sequence[int]:
        try:
            import pynvml
        except ImportError:
            listed = self._listed()
            return [listed[one] for one in devices if one in listed]
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
