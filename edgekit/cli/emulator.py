"""edgekit emulator"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import options as o
from edgekit.cli.common import emit
from edgekit.cli.declaring import command

if TYPE_CHECKING:
    from edgekit.device.emulator import Home


@click.group()
def emulator() -> None:
    """Set up, or look after, the emulator that `bench --emulate` runs models on."""


@command(o.ONNXRUNTIME, o.JSON, o.QUIET)
def setup(onnxruntime: str | None, as_json: bool, quiet: bool) -> int:
    """Set up an emulator of the Raspberry Pis' cores, once.

    Fetches about 70 MB: lists of packages, Python and its libraries for 64-bit Arm from the system's own sources of
    packages, and the wheels of numpy and ONNX Runtime by pip; QEMU, too, where qemu-aarch64 is not here. Everything is
    checked, unpacked without root and kept in $EDGEKIT_CACHE/emulator, by default ~/.cache/edgekit/emulator, 170 MB. A
    plugin that counts instructions is compiled by this machine's C compiler. What is there is not made again.

    Needs Debian or Ubuntu on an x86-64 processor.

    \b
    Example:
      edgekit emulator setup
      edgekit emulator setup --onnxruntime 1.23.2
    """
    from edgekit.cli.progress import alive
    from edgekit.device.emulator import ONNXRUNTIME, Progress, set_up

    with alive("emulator setup", quiet) as console:
        home = set_up(
            onnxruntime or ONNXRUNTIME, progress=Progress(lambda text: console.stage("emulator", "note", text))
        )
    return _told(home, as_json)


@command(o.JSON)
def status(as_json: bool) -> int:
    """Say what is set up, and whether it is what it should be.

    Exit code 2 if something is missing or was changed.

    \b
    Example:
      edgekit emulator status
    """
    from edgekit.device.emulator import find_home

    return _told(find_home(), as_json)


@command(o.JSON)
def remove(as_json: bool) -> int:
    """Remove everything that setup has made.

    \b
    Example:
      edgekit emulator remove
    """
    from edgekit.device.emulator import Places
    from edgekit.device.emulator import remove as remove_all

    size, folder = remove_all(), Places().folder
    text = f"removed {folder}, {size / 1e6:.0f} MB" if size else f"{folder}: nothing was set up there"
    emit(as_json, {"folder": str(folder), "removed_bytes": size}, lambda: text)
    return 0


@command(o.ONNXRUNTIME, o.JSON, o.QUIET)
def doctor(onnxruntime: str | None, as_json: bool, quiet: bool) -> int:
    """Say on which boards a version of ONNX Runtime starts, and whether it answers there as here.

    Runs the student that edgekit comes with on the core of each board, emulated. Fetches the version where it is not
    set up. Exit code 3 if it does not start on one of them.

    \b
    Example:
      edgekit emulator doctor --onnxruntime 1.21.0
    """
    from edgekit.cli.progress import alive
    from edgekit.jobs import examine_onnxruntime

    with alive("emulator doctor", quiet) as console:
        found = examine_onnxruntime(onnxruntime, lambda text: console.stage("emulator", "note", text))
    emit(as_json, found.to_dict(), lambda: "\n".join(found.lines()))
    return found.exit_code


for one in (setup, status, remove, doctor):
    emulator.add_command(one)


def _told(home: Home, as_json: bool) -> int:
    from edgekit.device.emulator import folder_bytes, part_states

    states = part_states(home)
    ready = all(state == "ready" for state in states.values())
    size = folder_bytes(home.places.folder)
    content: dict[str, Any] = {
        "ready": ready,
        "folder": str(home.places.folder),
        "bytes": size,
        "parts": {name: {"state": state, "sha256": home.digests.get(name)} for name, state in states.items()},
        "emulator": {"command": list(home.emulator), "version": home.version, "plugin_interface": home.interface},
        "python": home.python,
        "packages": dict(home.packages),
        "onnxruntime": {version: dict(wheels) for version, wheels in home.sites.items()},
    }
    emit(as_json, content, lambda: "\n".join(_lines(home, states, size)))
    return 0 if ready else 2


def _lines(home: Home, states: dict[str, str], size: int) -> list[str]:
    lines = [f"emulator in {home.places.folder}, {size / 1e6:.0f} MB"]
    lines.append(f"  QEMU     {home.version}, {home.emulator[0]}, plugin interface {home.interface}")
    lines.append(f"  root     {states['root']}: Python {home.python} for 64-bit Arm")
    lines.append(f"  plugin   {states['plugin']}")
    lines += [f"  wheels   {states[f'onnxruntime-{one}']}: ONNX Runtime {one} and numpy" for one in home.sites]
    if any(state != "ready" for state in states.values()):
        lines.append("run `edgekit emulator setup` again")
    return lines
