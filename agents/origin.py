"""Where an exception comes from: a person's own code, or ours."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_OURS = tuple(_ROOT / name for name in ("agents", "envs", "synthtools"))
_INSTALLED = tuple(Path(path) for name, path in sysconfig.get_paths().items() if name.endswith(("stdlib", "lib")))


def described(error: BaseException) -> str:
    """An exception and its place: the innermost in code of a person's own (`my_agent.py:12`), or else in ours (`agents/chat.py:12`)."""
    if isinstance(error, SyntaxError) and str(error.filename).endswith(".py"):
        return f"{type(error).__name__}: {error.msg} ({Path(str(error.filename)).name}:{error.lineno})"
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    ours = [f"{path.relative_to(_ROOT)}:{line}" for path, line in frames if any(map(path.is_relative_to, _OURS))]
    own = [f"{path.name}:{line}" for path, line in frames if not any(map(path.is_relative_to, (*_OURS, *_INSTALLED)))]
    return f"{type(error).__name__}: {error}" + "".join(f" ({place})" for place in (own or ours)[-1:])
