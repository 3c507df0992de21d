"""What emulated cores did, as text: a line a core, and a table row a board."""

from __future__ import annotations

import math

from edgekit.bench import Emulation
from edgekit.device.emulator import KINDS, CoreRun
from edgekit.report.tables import count, milliseconds, size, table

BAND_HEADERS = ("board", "floor", "low", "likely", "high", "IPC expected", "IPC of the limit")
_KINDS = dict(
    zip(KINDS, ("integer", "branches", "loads and stores", "vector loads and stores", "vector", "other"), strict=True)
)


def emulation_text(emulation: Emulation) -> str:
    """What each core executed and answered, then the bands of the boards."""
    emulated = emulation.emulated
    head = f"emulated: {emulated.runtime} under QEMU {emulated.emulator}, one thread; instructions, not time:"
    lines = [head, *(_core_line(emulation, run) for run in emulated.runs)]
    if emulation.bands:
        lines += ["latency estimated from that, throttling, the kernel and other programs left out:", _bands(emulation)]
    return "\n".join(lines)


def _core_line(emulation: Emulation, run: CoreRun) -> str:
    if run.failure:
        return f"  {run.core}: does not start: {run.failure}"
    parts = [f"{count(run.instructions)} instructions at most a prediction ({_mix(run)})"]
    if run.least_instructions < run.instructions:
        parts[0] = f"{count(run.least_instructions)} to {parts[0].replace(' at most', '')}"
    parts += [f"{run.cold_start / 1e6:.0f} M to the first answer"] if run.cold_start else []
    parts += [f"memory {size(run.guest_bytes)}"] if run.guest_bytes else []
    parts += [f"{size(run.missed_bytes)} from main memory"] if run.missed_bytes >= 1e5 else []
    return f"  {run.core}: {', '.join(parts)}; {_agreement(emulation, run)}"


def _mix(run: CoreRun) -> str:
    shares = [(share, _KINDS[kind]) for kind, share in run.mix.items() if share >= 0.005]
    return ", ".join(f"{100 * share:.0f} % {name}" for share, name in sorted(shares, reverse=True))


def _agreement(emulation: Emulation, run: CoreRun) -> str:
    found = emulation.agreements[run.core]
    if not found.difference:
        return "answers are this machine's bits"
    apart = f"{found.difference:.1e}" if math.isfinite(found.difference) else "beyond all bounds"
    largest = f", {found.others} with another largest number" if found.others else ", the same number largest"
    return f"answers differ from this machine's by {apart} at most{largest}"


def _bands(emulation: Emulation) -> str:
    rows = []
    for name, band in emulation.bands.items():
        needed = band.needed
        missed = "-" if needed is None else f"{needed:.2g}" if math.isfinite(needed) else "none"
        expected = f"{band.rates.least:.2f} to {band.rates.most:.2f}"
        times = (band.floor_s, band.low_s, band.likely_s, band.high_s)
        rows.append((name, *map(milliseconds, times), expected, missed))
    return table(BAND_HEADERS, rows).rstrip()
