"""A process that answers lines with lines: its pipes, with deadlines, and its end."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from typing import IO

LONGEST = 8_000_000
"""Bytes of a line; a process that writes more without an end, or without being asked, is given up."""
_PIECE = 65_536
_MOMENT = 0.2
"""Seconds in which a process ends whose input is closed, if it does so by itself."""
_PATIENCE = 2.0
"""Seconds in which a process that is asked to end does so."""


class Gone(ConnectionError):
    """The process has ended, or will say no more."""


class Lines:
    """A process in a group of its own. Raises ConnectionError, whose message says what the process did, once it cannot answer."""

    def __init__(self, words: Sequence[str]) -> None:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        try:
            process = subprocess.Popen(list(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True, bufsize=0)
        except OSError as error:
            errors.close()
            raise ConnectionError(f"cannot be run: {error.strerror}") from None
        pipes = [pipe for pipe in (process.stdin, process.stdout) if pipe is not None]
        self._input, self._output = (pipe.fileno() for pipe in pipes)
        for pipe in (self._input, self._output):
            os.set_blocking(pipe, False)
        self._process, self._errors = process, errors
        self._waiting = b""
        """What it has written and nobody has read."""
        self.close = weakref.finalize(self, end_group, process, pipes, errors)
        """Ends the process; also when this object, or the interpreter, is gone."""

    def ask(self, line: bytes, deadline: float, *, fresh: bool = False) -> bytes:
        """The next line after this one was written, by the monotonic clock; `fresh`: what was written before is not an answer."""
        if fresh:
            self._waiting, thrown = b"", 0
            while piece := self._piece():
                self._waiting, thrown = b"", thrown + len(piece)
                if thrown > LONGEST:
                    raise ConnectionError(f"wrote {LONGEST:,} bytes that nobody had asked for")
        self._write(line + b"\n", deadline)
        while b"\n" not in self._waiting:
            if len(self._waiting) > LONGEST:
                raise ConnectionError(f"wrote {LONGEST:,} bytes without the end of a line")
            _wait(self._output, selectors.EVENT_READ, deadline, "gave no answer")
            if self._piece() is None:
                raise Gone(self._died())
        answer, _, self._waiting = self._waiting.partition(b"\n")
        return answer

    def _write(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        while left:
            _wait(self._input, selectors.EVENT_WRITE, deadline, "took no input")
            try:
                left = left[os.write(self._input, left[:_PIECE]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise Gone(self._died()) from None

    def _piece(self) -> bytes | None:
        """Read what is there: nothing where nothing is yet, None at the end."""
        try:
            piece = os.read(self._output, _PIECE)
        except BlockingIOError:
            return b""
        self._waiting += piece
        return piece or None

    def _died(self) -> str:
        """How it ended, and the last line of what it said on stderr."""
        code = exit_code(self._process, _PATIENCE)
        return f"{'closed its output' if code is None else f'ended with code {code}'}{last_words(self._errors)}"


def last_words(errors: IO[bytes]) -> str:
    """The last line of what a process wrote on stderr, after a colon; empty where there is none."""
    errors.seek(0)
    said = [line for line in errors.read()[-2000:].decode("utf-8", "replace").splitlines() if line.strip()]
    return f": {said[-1].strip()}" if said else ""


def _wait(pipe: int, event: int, deadline: float, fault: str) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, event)
        if not selector.select(max(0.0, deadline - time.monotonic())):
            raise ConnectionError(f"{fault} in time")


def exit_code(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Its exit code once it has ended, which leaves it (and so the name of its group) there; None where it goes on."""
    deadline = time.monotonic() + seconds
    while True:
        found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if found is not None:
            return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.01)


def end_group(process: subprocess.Popen[bytes], pipes: Sequence[IO[bytes]], errors: IO[bytes], moment: float = _MOMENT) -> None:
    """Close its input, at which it may end by itself in a moment (seconds); then end what is left of its group, and nothing else."""
    for file in (*pipes, errors):
        file.close()
    if exit_code(process, moment) is None:
        os.killpg(process.pid, signal.SIGTERM)
        exit_code(process, _PATIENCE)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
