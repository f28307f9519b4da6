"""The toolkit backend: a person's own Python class runs in this process, each episode on a state of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from synthtools.arguments import ArgumentError
from synthtools.backend import Snapshot
from synthtools.domain import Domain
from synthtools.execute import MAX_RESULT_BYTES
from synthtools.goal import Changes
from synthtools.tool import ToolCall, ToolResult
from synthtools.toolkit.code import described, load_code
from synthtools.toolkit.declare import Refused
from synthtools.toolkit.fault import ToolkitFault
from synthtools.toolkit.render import render
from synthtools.toolkit.row import difference
from synthtools.toolkit.signature import Signature
from synthtools.toolkit.state import View, flatten_aliases, freeze, quick_json
from synthtools.toolkit.thaw import thaw

_LOOKS = 8
"""How often a refusal is looked at closely, where any are."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A start world: its state frozen, and the same as plain data to compare with."""

    frozen: bytes
    plain: Mapping[str, Any]


class ToolkitBackend:
    """A toolkit in process. Its module is imported once a backend; episodes run on thawed states, so that no file of its is written."""

    def __init__(self, domain: Domain) -> None:
        """Imports the toolkit's code: `open_backend` asks first whether it is trusted. Raises ToolkitError."""
        if domain.toolkit is None:
            raise ValueError(f"{domain.name} is no toolkit")
        self.domain = domain
        self._code = load_code(domain.toolkit)
        self._starts: dict[int, Begun] = {}
        self._start: Snapshot | None = None
        self._base: Begun
        self._from: bytes = b""
        self._log: list[tuple[Signature, bytes]] = []
        """Calls that may have changed something, and succeeded, since `_from`."""
        self._toolkit: Any = None
        self._known: bytes | None = None
        """The present state as quick JSON, where it is known."""
        self._changes: Changes | None = None
        self.watched: Counter[tuple[str, str]] | None = None
        """Refusals (tool, code) looked at closely; None: none are."""
        self.partial: set[tuple[str, str]] = set()
        """Those of them that had changed something, which was put back."""

    def reset(self, start: Snapshot) -> None:
        """Begin at a start, or go on from a snapshot. Raises ValueError for another domain's, Unfreezable for state that cannot be kept."""
        if start.domain != self.domain.digest:
            raise ValueError(f"a snapshot of another domain, or of another version of {self.domain.name}")
        if start.setup or (start.world and not self._code.has_worlds):
            raise ValueError(f"{self.domain.name}: has one start world, and takes no set-up")
        base = self._starts.get(start.world)
        if base is None:
            base = self._starts[start.world] = self._begun(start.world)
        self._base, self._start, self._from = base, start, start.delta
        self._log.clear()
        self._toolkit, self._changes = self._thawed(), None
        self._known = quick_json(vars(self._toolkit))

    def _begun(self, world: int) -> Begun:
        frozen = freeze(vars(self._code.begin(world)), self._code.types)
        fresh = thaw(frozen, self._code.types)
        return Begun(frozen, flatten_aliases(fresh, self._code.types))

    def _thawed(self) -> Any:
        """A new instance in the state in which the episode began or was taken up."""
        toolkit: Any = object.__new__(self._code.toolkit)
        for name, value in thaw(self._from or self._base.frozen, self._code.types).items():
            object.__setattr__(toolkit, name, value)
        return toolkit

    def call(self, call: ToolCall) -> ToolResult:
        """Execute one call; a failed call has changed nothing. Raises ToolkitFault where the tool itself is at fault."""
        signature = self._code.signatures.get(call.name)
        if signature is None:
            return self._error("unknown_tool", "unknown_tool", f"There is no tool {str(call.name)[:60]!a}.")
        try:
            data = signature.read(call.arguments)
            values = signature.values(data)
        except ArgumentError as error:
            return self._error(error.kind, error.kind, error.message)
        self._changes = None
        try:
            content = render(getattr(self._toolkit, call.name)(**values))
        except Refused as refusal:
            self._undo(signature, refusal.code)
            return self._error("refused", refusal.code, refusal.message)
        except (Exception, SystemExit) as error:
            self._undo(signature)
            raise ToolkitFault(f"{self.domain.name}.{call.name}", described(error)) from error
        if len(content) > MAX_RESULT_BYTES:
            self._undo(signature)
            return self._error("limit", "limit", "The result is too long; ask for less.")
        if not signature.read_only:
            self._log.append((signature, data))
            self._known = None
        return ToolResult(content.decode())

    def _error(self, kind: Any, code: str, message: str) -> ToolResult:
        return ToolResult(self.domain.surface.error_content(code, message), kind, code if kind == "refused" else "")

    def _undo(self, signature: Signature, reason: str = "") -> None:
        """After a call that failed: where it may have changed something, the state before it, by the calls that had succeeded."""
        if signature.read_only:
            return
        if self._known is not None and quick_json(vars(self._toolkit)) == self._known:
            return
        looks = self.watched is not None and (self._known is not None or self.watched[signature.name, reason] < _LOOKS)
        left = self.state() if looks and reason else b""
        self._toolkit = self._thawed()
        try:
            for done, data in self._log:
                getattr(self._toolkit, done.name)(**done.values(data))
        except (Exception, SystemExit) as error:
            what = f"the calls that had succeeded cannot be done again, which putting its changes back needs: {described(error)}"
            raise ToolkitFault(f"{self.domain.name}.{signature.name}", what) from error
        if left and self.watched is not None:
            self.watched[signature.name, reason] += 1
            if left != self.state():
                self.partial.add((signature.name, reason))
        self._known = quick_json(vars(self._toolkit))

    @property
    def start(self) -> Snapshot:
        """Where the episode began. Raises RuntimeError before the first reset."""
        if self._start is None:
            raise RuntimeError("no episode: reset first")
        return self._start

    def snapshot(self) -> Snapshot:
        """This moment, to `reset` to later, in this backend or another."""
        start = self.start
        frozen = freeze(vars(self._toolkit), self._code.types)
        return replace(start, delta=b"" if frozen == self._base.frozen else frozen)

    def state(self) -> bytes:
        """The present state, frozen; also at the start, where a snapshot holds none."""
        return freeze(vars(self._toolkit), self._code.types)

    def changes(self) -> Changes:
        """The net change since the episode's start, also in a fork."""
        if self._changes is None:
            self._changes = difference(self._base.plain, vars(self._toolkit), View(self._code.types))
        return self._changes

    def close(self) -> None:
        """Let go of the states; may be called twice."""
        self._starts.clear()
        self._toolkit = None


