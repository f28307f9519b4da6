"""Reading a toolkit's code for what makes it answer otherwise tomorrow: the host's clock, chance, and state outside the instance."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

CLOCK = frozenset(
    "datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today time.time time.time_ns time.localtime "
    "time.gmtime time.ctime time.strftime time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns".split()
)
CHANCE = frozenset("uuid.uuid1 uuid.uuid4 os.urandom random.SystemRandom os.getrandom os.getpid".split())
_SEEDED = frozenset({"random.Random", "numpy.random.default_rng"})


def lint(files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """(place, what is wrong) for every finding in a toolkit's Python files; nothing is run."""
    for name, text in sorted(files.items()):
        if not name.endswith(".py"):
            continue
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError) as error:
            yield f"{name}:{getattr(error, 'lineno', 1) or 1}", "is not Python"
            continue
        names = _imported(tree)
        for node in ast.walk(tree):
            what = _wrong(node, names)
            if what:
                yield f"{name}:{getattr(node, 'lineno', 1)}", what


def _imported(tree: ast.AST) -> dict[str, str]:
    """Name in the file → what it stands for, dotted."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    """What a name or an attribute stands for, or nothing where it is no import."""
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def _wrong(node: ast.AST, names: Mapping[str, str]) -> str:
    if isinstance(node, ast.Global):
        return f"keeps {', '.join(node.names)} outside the instance: state lives in attributes set in __init__"
    if not isinstance(node, ast.Call):
        return ""
    called = _dotted(node.func, names)
    if called in CLOCK:
        return f"reads the host's clock ({called}): use the class's own `today`"
    if called in CHANCE or called.startswith("secrets."):
        return f"draws by chance ({called}): count, or use random.Random with a seed"
    if called in _SEEDED:
        return "" if node.args or node.keywords else f"draws without a seed ({called}): give it one, and keep it in an attribute"
    if called.startswith(("random.", "numpy.random.")):
        return f"draws from a generator that all share ({called}): use random.Random with a seed, kept in an attribute"
    if isinstance(node.func, ast.Name) and node.func.id == "hash" and "hash" not in names:
        return "uses hash(), which differs between processes: use hashlib, or the value itself"
    return ""
