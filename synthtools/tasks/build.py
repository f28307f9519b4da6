"""Building a reference solution by carrying it out: look-ups first, every value from the request or from a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from synthtools.backend import Backend
from synthtools.deed import act, with_outcome
from synthtools.domain import Domain
from synthtools.entity import argument_name
from synthtools.task import Ref, SolutionStep, resolve
from synthtools.tasks.describe import Claim, Describer
from synthtools.tool import Tool
from synthtools.user import RESPOND, User, replies, said_in

MAX_CALLS = 14
_PAGES = 3


class NotBuilt(Exception):
    """No solution of this shape: the reason, for the count of rejects."""


class Builder:
    """One reference solution in the making, on a live backend."""

    def __init__(self, domain: Domain, backend: Backend, describer: Describer, withheld: Sequence[str] = ()) -> None:
        self.domain, self.backend, self.describer = domain, backend, describer
        self.withheld = frozenset(withheld)
        self.steps: list[SolutionStep] = []
        self.results: list[Any] = []
        self.known: dict[tuple[str, str], Any] = {}
        """(entity, id) → how the solution knows the id: a Ref, or the id itself where the request says it."""
        self.cells: dict[tuple[str, str, str], Ref] = {}
        self.said: dict[str, str] = {}
        """Literal (as JSON text) → how the request says it."""
        self.user: User | None = None
        """Whom `ask` asks."""
        self.before_write: Callable[[], None] | None = None
        """Done once, right before the first call that can change something."""
        self.by_user: Mapping[str, Callable[[], Sequence[Any]]] = {}
        """Key of a tool that is the user's → what may be said to have them call it: texts, or what gives one."""
        self._heard: list[str] = []
        self._keys = {tool.key: tool for tool in domain.tools.values()}
        self._searches = {t.origin.entity: t for t in domain.tools.values() if t.origin.kind == "search"}
        self._gets = {t.origin.entity: t for t in domain.tools.values() if t.origin.kind == "get"}

    def tool(self, key: str) -> Tool:
        """A tool by its name in the blueprint's language."""
        return self._keys[key]

    def literal(self, value: Any, said: str) -> Any:
        """A value that the request states."""
        self.said[orjson.dumps(value).decode()] = said
        return value

    def ask(self, text: Any) -> str:
        """Say something to the user, a text or what gives one; the reply, after the user has done what it asks for."""
        if self.user is None:
            raise NotBuilt("nobody_to_ask")
        step = SolutionStep(RESPOND.name, {"text": text})
        self._heard.append(said_in(resolve(step, self.results).arguments))
        said = with_outcome(replies(self.user, self._heard)[-1].text, act(self.user, self._heard, self.domain, self.backend))
        self.steps.append(step)
        self.results.append({"reply": said})
        return said

    def have_done(self, texts: Sequence[Any]) -> None:
        """Ask the user to do something, in the first of these words that they understand. Raises NotBuilt."""
        for text in texts:
            heard = said_in(resolve(SolutionStep(RESPOND.name, {"text": text}), self.results).arguments)
            if self.user is not None and replies(self.user, [*self._heard, heard])[-1].bidden:
                self.ask(text)
                return
        raise NotBuilt("not_understood")

    def call(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        """Make one call, or have the user make it; its result is read for ids and cells. Raises NotBuilt when it fails."""
        if tool.key in self.by_user:
            self.have_done(self.by_user[tool.key]())
            return self.results[-1]
        if self.before_write is not None and not tool.read_only:
            first, self.before_write = self.before_write, None
            first()
        if len(self.steps) >= MAX_CALLS:
            raise NotBuilt("too_long")
        if tool.key in self.withheld:
            raise NotBuilt("withheld")
        step = SolutionStep(tool.name, dict(arguments))
        try:
            made = resolve(step, self.results)
        except LookupError:
            raise NotBuilt("no_such_result") from None
        result = self.backend.call(made)
        if result.error is not None:
            raise NotBuilt(result.reason or result.error)
        self.steps.append(step)
        self.results.append(orjson.loads(result.content))
        self._harvest(tool, len(self.steps) - 1)
        return self.results[-1]

    def _harvest(self, tool: Tool, number: int) -> None:
        value = self.results[number]
        for key, returns in tool.program.returns.items():
            part = value[key] if key else value
            base: tuple[str | int, ...] = (key,) if key else ()
            rows = part if returns.many else [part]
            own = next((i for i, o in enumerate(returns.origins) if o and o[1] == "id"), None)
            for index, row in enumerate(rows):
                if isinstance(row, dict):
                    at = (*base, index) if returns.many else base
                    self._note(returns.columns, returns.origins, own, row, (number, at))

    def _note(
        self,
        columns: tuple[str, ...],
        origins: tuple[tuple[str, str] | None, ...],
        own: int | None,
        row: Mapping[str, Any],
        place: tuple[int, tuple[str | int, ...]],
    ) -> None:
        number, at = place
        entity, identifier = ("", "")
        if own is not None and (origin := origins[own]):
            entity, identifier = origin[0], str(row[columns[own]])
            self.known.setdefault((entity, identifier), Ref(number, (*at, columns[own])))
        for column, origin in zip(columns, origins, strict=True):
            if origin is None or row[column] is None:
                continue
            ref = self.domain.tables[origin[0]].columns[origin[1]].ref
            if ref:
                self.known.setdefault((ref, str(row[column])), Ref(number, (*at, column)))
            if origin[0] == entity:
                self.cells[entity, identifier, origin[1]] = Ref(number, (*at, column))

    def locate(self, entity: str, row: str, claims: Sequence[Claim]) -> Any:
        """How the solution comes to know a described row's id; look-ups are made as needed."""
        named = next((c for c in claims if c.path == ("id",)), None)
        if named is not None:
            return self.known.setdefault((entity, row), self.literal(row, named.said))
        if (entity, row) in self.known:
            return self.known[entity, row]
        search = self._searches.get(entity)
        if search is None:
            raise NotBuilt("no_search")
        filters = self._own_filters(search, claims)
        groups: dict[str, list[Claim]] = {}
        for claim in claims:
            if len(claim.path) > 1:
                groups.setdefault(claim.path[0], []).append(Claim(claim.path[1:], claim.value, claim.part, claim.said))
        candidates: list[tuple[str, Any]] = []
        for key, inner in groups.items():
            candidates += self._through(entity, row, key, inner, search, filters)
        if candidates and not filters:
            return self._try_each(search, entity, row, candidates)
        if not filters:
            raise NotBuilt("no_filter")
        return self._page_to(search, filters, entity, row)

    def _own_filters(self, search: Tool, claims: Sequence[Claim]) -> dict[str, Any]:
        filters: dict[str, Any] = {}
        fields = self.domain.tables[search.origin.entity].columns
        known = search.parameters["properties"]
        for claim in claims:
            if len(claim.path) != 1:
                continue
            key = claim.path[0]
            column = fields[key]
            value = bool(claim.value) if column.kind == "bool" else claim.value
            names = [f"{key}_from", f"{key}_until"] if column.kind in ("date", "datetime") else [f"{key}_id" if column.ref else key]
            for name in names:
                if name in known:
                    filters[name] = self.literal(value, claim.said)
                    if column.ref:
                        self.known.setdefault((column.ref, str(value)), value)
        return filters

    def _through(self, entity: str, row: str, key: str, inner: list[Claim], search: Tool, filters: dict[str, Any]) -> list[tuple[str, Any]]:
        """Narrow a search by a referenced row: its id as a filter where it is one, else candidates to try."""
        target = self.domain.tables[entity].columns[key].ref
        referred = str(self.describer.value(entity, row, (key,)))
        name = argument_name(key, self.domain.blueprint.entities[entity].fields[key])
        fitting = self.describer.count(target, inner)
        if fitting == 1:
            found = self.locate(target, referred, inner)
            if name in search.parameters["properties"]:
                filters[name] = found
            return []
        finder = self._searches.get(target)
        if finder is None or fitting > 20:
            raise NotBuilt("no_search")
        narrow = self._own_filters(finder, inner)
        if not narrow:
            raise NotBuilt("no_filter")
        before = set(self.known)
        self._page_to(finder, narrow, target, referred)
        if name not in search.parameters["properties"]:
            return []
        return [(name, self.known[k]) for k in self.known if k not in before and k[0] == target][:4]

    def _try_each(self, search: Tool, entity: str, row: str, candidates: list[tuple[str, Any]]) -> Any:
        """Search for each candidate in turn, as one who does not know which it is."""
        for name, reference in candidates:
            self.call(search, {name: reference})
            if (entity, row) in self.known:
                return self.known[entity, row]
        raise NotBuilt("not_found")

    def _page_to(self, search: Tool, filters: Mapping[str, Any], entity: str, row: str) -> Any:
        """Search, and page on until the row is in a result."""
        style, name = search.program.page
        key = next(iter(k for k, r in search.program.returns.items() if r.many))
        size = self.domain.surface.page_size
        extra: dict[str, Any] = {}
        for page in range(1, _PAGES + 1):
            result = self.call(search, {**filters, **extra})
            if (entity, row) in self.known:
                return self.known[entity, row]
            rows = result[key] if key else result
            if len(rows) < size:
                break
            at = (key, len(rows) - 1, "id") if key else (len(rows) - 1, "id")
            extra = {name: {"page": page + 1, "offset": page * size, "cursor": Ref(len(self.steps) - 1, at)}[style]}
        raise NotBuilt("not_found")

    def list_children(self, child: str, link: str, entity: str, row: str) -> None:
        """Look at the rows of `child` that refer to a known row, where a search can filter by it."""
        search = self._searches.get(child)
        if search is not None and f"{link}_id" in search.parameters["properties"] and (entity, row) in self.known:
            self.call(search, {f"{link}_id": self.known[entity, row]})

    def cell(self, entity: str, row: str, column: str) -> Ref:
        """How the solution comes to know a column of a row whose id it knows."""
        found = self.cells.get((entity, row, column))
        if found is not None:
            return found
        get = self._gets.get(entity)
        if get is None or (entity, row) not in self.known:
            raise NotBuilt("no_get")
        self.call(get, {f"{entity}_id": self.known[entity, row]})
        try:
            return self.cells[entity, row, column]
        except KeyError:
            raise NotBuilt("not_shown") from None
