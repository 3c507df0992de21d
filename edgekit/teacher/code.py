"""A module that a function of the user's makes. The one place where a text becomes an import."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from torch import nn

from edgekit.errors import ConfigError, did_you_mean


def make_module(said: str, flag: str = "--teacher") -> nn.Module:
    """What the user's function `module:function` returns: runs their code.

    said: from this command line, never from a file, which another may have written. flag: that said it, for messages.
    The working directory can be imported from, as with `python -m`. Raises ConfigError.
    """
    named = f"{flag} {said}"
    module_name, _, name = said.partition(":")
    if not module_name or not name.isidentifier():
        raise ConfigError(f"{named}: expected MODULE:FUNCTION, such as my_models:make_teacher")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{named}: no module '{error.name}' in {Path.cwd()} or among the installed packages; {_where(said)}"
        ) from None
    except Exception as error:  # the user's own code may raise anything
        raise ConfigError(f"{named}: importing {module_name} failed: {where_raised(error)}") from error
    if not hasattr(module, name):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"{named}: {module_name} has no '{name}'{did_you_mean(name, known)}")
    factory = getattr(module, name)
    if not callable(factory) or isinstance(factory, nn.Module):
        raise ConfigError(f"{named}: is {type(factory).__name__}, expected a function that returns the module")
    try:
        made = factory()
    except Exception as error:  # the user's own code may raise anything
        raise ConfigError(f"{named}: the function failed: {where_raised(error)}") from error
    if not isinstance(made, nn.Module):
        raise ConfigError(f"{named}: returned {type(made).__name__}, expected a torch.nn.Module")
    return made


def _where(said: str) -> str:
    """What to do about a module that was not found."""
    path, _, name = said.partition(":")
    if not path.endswith(".py"):
        return "run edgekit where it can be imported"
    folder, module = Path(path).parent, Path(path).stem
    return f"say {module}:{name}" + ("" if folder == Path() else f", in the folder {folder}")


def where_raised(error: Exception) -> str:
    """`ValueError: text (models.py, line 12)`: the user's own line, without a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename != __file__ and "importlib" not in frame.filename]
    place = f" ({inside[-1].filename}, line {inside[-1].lineno})" if inside else ""
    return f"{type(error).__name__}: {error}{place}"
