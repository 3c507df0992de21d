"""What a model may take of this machine, and how to allow more."""

from __future__ import annotations

from edgekit.reading import MB, whole_number

#: Megabytes that a model may allocate, and seconds that it may take to be opened, and for one run.
MEMORY_VARIABLE = "EDGEKIT_MAX_MODEL_MB"
TIME_VARIABLE = "EDGEKIT_MAX_MODEL_S"
#: Sixty times what edgekit's largest variant takes for a batch of 256; a machine with less gives what it has.
MEMORY_MB = 2000
TIME_S = 300


def model_memory_bytes() -> int:
    """What a model may allocate beyond the libraries: as EDGEKIT_MAX_MODEL_MB says, or 2,000 MB, or what is available
    where that is less. Raises ConfigError when the variable is no whole number."""
    said = whole_number(MEMORY_VARIABLE, "megabytes")
    if said is not None:
        return said * MB
    import psutil

    return min(MEMORY_MB * MB, int(psutil.virtual_memory().available))


def model_time_s(default_s: int = TIME_S) -> int:
    """What opening a model, or one run, may take: as EDGEKIT_MAX_MODEL_S says, or the default. Raises ConfigError."""
    said = whole_number(TIME_VARIABLE, "seconds")
    return default_s if said is None else said
