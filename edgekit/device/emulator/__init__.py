"""A Raspberry Pi's processor on this machine: the real ONNX Runtime for 64-bit Arm under QEMU, and what it executes"""

from edgekit.device.emulator.cores import BY_NAME, CORES, Core
from edgekit.device.emulator.emulating import Emulate, Emulated, chosen_onnxruntime, emulate_model
from edgekit.device.emulator.home import Home, find_home
from edgekit.device.emulator.places import ONNXRUNTIME, Places
from edgekit.device.emulator.plugin import KINDS, Counts
from edgekit.device.emulator.running import CoreRun, counting, run_on_core
from edgekit.device.emulator.setting_up import Progress, folder_bytes, part_states, remove, set_up

__all__ = [
    "BY_NAME",
    "CORES",
    "KINDS",
    "ONNXRUNTIME",
    "Core",
    "CoreRun",
    "Counts",
    "Emulate",
    "Emulated",
    "Home",
    "Places",
    "Progress",
    "chosen_onnxruntime",
    "counting",
    "emulate_model",
    "find_home",
    "folder_bytes",
    "part_states",
    "remove",
    "run_on_core",
    "set_up",
]
