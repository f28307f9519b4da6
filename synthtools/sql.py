"""SQL as text: dotted references, what a statement reads and writes, and what no statement may do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import apsw
import apsw.ext

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\])|(?P<comment>--[^\n]*|/\*.*?\*/)"""
    r"""|(?P<bind>[:@$][A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)|(?P<space>\s+)|(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)

FORBIDDEN_FUNCTIONS = frozenset(
    "random randomblob zeroblob changes total_changes last_insert_rowid sqlite_version sqlite_source_id load_extension "
    "sqlite_compileoption_used sqlite_compileoption_get current_date current_time current_timestamp readfile writefile edit "
    "sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh exp ln log log10 log2 pow power sqrt pi "
    "fts3_tokenizer matchinfo sqlite_log sqlite_offset subtype unistr".split()
)
"""Functions that read the host, the connection's history, or a platform's arithmetic library."""

_FORBIDDEN_WORDS = frozenset("attach detach pragma vacuum analyze reindex begin commit rollback savepoint release explain replace".split())
_CLOCK_WORDS = ("now", "localtime", "utc")


class SqlError(ValueError):
    """SQL that may not stand in a blueprint, or that SQLite does not take."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL text: its kind (string, quoted, comment, bind, number, word, space, other) and the text itself."""

    kind: str
    text: str


def tokens(sql: str) -> Iterator[Token]:
    """The text in pieces; joined they are the text again."""
    for match in _TOKEN.finditer(sql):
        yield Token(str(match.lastgroup), match.group())


def bind(sql: str) -> tuple[str, frozenset[str]]:
    """`:order.status` becomes `:order__status`; also the names of all parameters."""
    names: set[str] = set()
    out: list[str] = []
    for token in tokens(sql.strip().rstrip(";")):
        if token.kind == "bind":
            name = token.text[1:].replace(".", "__")
            names.add(name)
            out.append(":" + name)
        elif token.kind != "comment":
            out.append(token.text)
    return "".join(out), frozenset(names)


def resolve_paths(sql: str, row: str, target: Callable[[tuple[str, ...]], tuple[str, ...] | None]) -> str:
    """An expression over one row, with its dotted references turned into look-ups.

    `target(path)` gives the tables passed through (`("boat",)` for `boat.length_cm`, `()` for an own column), or None
    where the path is no reference. Inside a subquery names are the author's own, with the row called `t`.
    """
    out: list[str] = []
    depth, subqueries, pending = 0, [0] * 0, list(tokens(sql))
    for index, token in enumerate(pending):
        if token.text == "(":
            depth += 1
            following = next((t for t in pending[index + 1 :] if t.kind not in ("space", "comment")), None)
            if following and following.text.upper() in ("SELECT", "WITH"):
                subqueries.append(depth)
        elif token.text == ")":
            if subqueries and subqueries[-1] == depth:
                subqueries.pop()
            depth -= 1
        if token.kind != "word" or subqueries:
            out.append(token.text)
            continue
        path = tuple(token.text.split("."))
        tables = target(path)
        out.append(token.text if tables is None else _lookup(path, tables, row))
    return "".join(out)


def _lookup(path: tuple[str, ...], tables: tuple[str, ...], row: str) -> str:
    """`boat.holder.name` over row t: `(SELECT name FROM holder WHERE id = (SELECT holder FROM boat WHERE id = t.boat))`."""
    text = f"{row}.{path[0]}"
    for table, column in zip(tables, path[1:], strict=True):
        text = f'(SELECT "{column}" FROM "{table}" WHERE id = {text})'
    return text


@dataclass(frozen=True, slots=True)
class Facts:
    """What SQLite says of a statement."""

    columns: tuple[str, ...]
    origins: tuple[tuple[str, str] | None, ...]
    """Per result column, the (table, column) that it is, if it is one."""
    reads: frozenset[str]
    writes: frozenset[str]
    functions: frozenset[str]


_FOREIGN = ("sqlite_", "pragma_", "dbstat", "bytecode", "tables_used")
_READ_ACTIONS = {apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE}
_ROW_MARKS = {apsw.SQLITE_INSERT: "+", apsw.SQLITE_DELETE: "-"}


def examine(connection: apsw.Connection, sql: str, *, write: bool) -> Facts:
    """Vet one bound statement against the schema of `connection`, and say what it reads, writes and returns.

    Raises SqlError when it is not exactly one statement of the allowed kind, calls a forbidden function, or
    reaches anything but the domain's own tables.
    """
    if "\0" in sql:
        raise SqlError("holds a NUL character")
    _refuse_words(sql, write=write)
    try:
        info = apsw.ext.query_info(connection, sql, actions=True)
    except apsw.Error as error:
        raise SqlError(str(error).removeprefix("SQLError: ")) from None
    if info.query_remaining:
        raise SqlError("more than one statement")
    reads, writes, functions = _effects(info.actions or ())
    banned = functions & FORBIDDEN_FUNCTIONS
    if banned:
        raise SqlError(f"{sorted(banned)[0]}() is not allowed: its result depends on the host or the connection")
    origins = tuple((d[3], d[4]) if d[3] else None for d in info.description_full or ())
    columns = tuple(d[0] for d in info.description or ())
    if len(set(columns)) != len(columns):
        raise SqlError(f"two result columns have the same name: {', '.join(columns)}; rename one with AS")
    return Facts(columns, origins, frozenset(reads), frozenset(writes), frozenset(functions))


def _effects(actions: Iterable[apsw.ext.QueryAction]) -> tuple[set[str], set[str], set[str]]:
    """What is read, written and called, from the authorizer's actions. Raises SqlError for what is not allowed."""
    reads: set[str] = set()
    writes: set[str] = set()
    functions: set[str] = set()
    for action in actions:
        code = action.action
        if code == apsw.SQLITE_READ:
            reads.add(f"{_own(action.table_name)}.{action.column_name}")
        elif code == apsw.SQLITE_FUNCTION:
            functions.add(str(action.function_name).lower())
        elif code == apsw.SQLITE_UPDATE:
            writes.add(f"{_own(action.table_name)}.{action.column_name}")
        elif code in _ROW_MARKS:
            writes.add(f"{_ROW_MARKS[code]}{_own(action.table_name)}")
        elif code not in _READ_ACTIONS:
            raise SqlError(f"not allowed here: {action.action_name}")
    return reads, writes, functions


def _own(table: str | None) -> str:
    """The name of a table, which must be the domain's own."""
    if str(table).lower().startswith(_FOREIGN):
        raise SqlError(f"{table} is not a table of the domain")
    return str(table)


def _refuse_words(sql: str, *, write: bool) -> None:
    """Refuse by its words what SQLite's own description of a statement does not show."""
    words = [t for t in tokens(sql) if t.kind not in ("space", "comment")]
    if not words:
        raise SqlError("empty")
    first = words[0].text.upper()
    allowed = ("INSERT", "UPDATE", "DELETE", "WITH") if write else ("SELECT", "WITH")
    if first not in allowed:
        raise SqlError(f"must start with {' or '.join(allowed)}, not {first}")
    for before, token in zip([Token("other", ""), *words], words, strict=False):
        lowered = token.text.lower()
        if token.kind == "word" and lowered in _FORBIDDEN_WORDS and not (lowered == "replace" and _is_call(words, token)):
            raise SqlError(f"{token.text} is not allowed")
        if token.kind == "word" and before.text.upper() == "OR" and lowered in ("ignore", "fail", "abort"):
            raise SqlError(f"OR {token.text} is not allowed: say what must hold in a guard")
        if token.kind == "string" and token.text[1:-1].strip().lower() in _CLOCK_WORDS:
            raise SqlError(f"{token.text} reads the host's clock or zone; use :now or :today")


def _is_call(words: list[Token], token: Token) -> bool:
    index = next(i for i, t in enumerate(words) if t is token)
    return index + 1 < len(words) and words[index + 1].text == "("


def substitute(message: str, names: Mapping[str, object] | frozenset[str]) -> list[tuple[str, str]]:
    """A message in parts: `("text", …)` and `("value", name)`; only names that are known may stand in braces."""
    parts: list[tuple[str, str]] = []
    for index, piece in enumerate(re.split(r"\{([^{}]*)\}", message)):
        if index % 2 == 0:
            if "{" in piece or "}" in piece:
                raise SqlError("a lone brace in a message")
            if piece:
                parts.append(("text", piece))
            continue
        name = piece.replace(".", "__")
        if name not in names:
            raise SqlError(f"{{{piece}}} is not an argument or a column of a `let` row")
        parts.append(("value", name))
    return parts
