"""Decoders of all shapes are made and forgotten: a package that frees their memory wrongly ends the process."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from tests.depth import few

ROUNDS: Final = few(20, 30)
"""With msgspec 0.22 a request of two kinds of ``appId`` ended the process in the first twenty."""
PROGRAM: Final = f"""
import gc
import msgspec
from leasebook.contract.actions import ACTIONS
shapes = {{shape for action in ACTIONS for shape in (action.request, action.result)}}
for _ in range({ROUNDS}):
    copies = [
        msgspec.defstruct("Copy", [(field, shape.__annotations__[field]) for field in shape.__struct_fields__
                          if field in shape.__annotations__], namespace={{}}, module=shape.__module__)
        for shape in shapes if isinstance(shape, type) and issubclass(shape, msgspec.Struct)
    ]
    for copy in copies:
        msgspec.json.Decoder(copy)
    del copies, copy
    gc.collect()
print(len(shapes))
"""


def test_shapes_are_forgotten_without_harm() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, (ended.returncode, ended.stderr)
    assert int(ended.stdout) > 100
