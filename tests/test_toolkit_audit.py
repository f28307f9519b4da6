"""The audit of toolkits: a sound one has no finding, and each planted fault is found, by its own check."""

from __future__ import annotations

# ruff: noqa: E501 - one fault a line
from functools import partial
from pathlib import Path

import pytest

from synthtools.audit import AuditReport
from synthtools.backends import in_process
from synthtools.load import load_domain
from synthtools.toolkit.audit import audit_toolkit
from synthtools.toolkit.collect import tasks_beside
from synthtools.toolkit.lint import lint
from toolkits import SHOP, written

SOUND = SHOP.replace(
    '''        self.stock[product]["left"] -= count
        if self.stock[product]["left"] < 0:
            raise Refused("sold_out", "None left.")
''',
    '''        if count < 1 or self.stock[product]["left"] < count:
            raise Refused("sold_out", "None left.")
        self.stock[product]["left"] -= count
''',
).partition("    @tool\n    def break_down")[0]
FIND = "return [key for key, held in self.stock.items()"


def audited(folder: Path, text: str) -> AuditReport:
    """The report of a toolkit's text."""
    domain = load_domain(written(folder, text), trust=True)
    return audit_toolkit(domain, partial(in_process, domain), thorough=False)


def test_a_sound_toolkit_has_no_finding(tmp_path: Path) -> None:
    """Every tool succeeds, every documented error is reached."""
    report = audited(tmp_path, SOUND)
    assert (report.failures, report.unaudited) == ((), ())
    assert report.errors_reached == report.errors_documented == 3


FAULTS = {
    "clock": (("source", "reads the host's clock (datetime.datetime.now)"), FIND, f"import datetime\n        datetime.datetime.now()\n        {FIND}"),
    "unfreezable state": (("state", "self.stock.P-01.left is of type"), '"left": 3', '"left": object()'),
    "read-only that writes": (("read only", "is marked read_only and changes"), FIND, f'self.stock["P-01"]["left"] += 1\n        {FIND}'),
    "undocumented refusal": (("undocumented", "'too_short'"), FIND, f'if len(name) < 3: raise Refused("too_short", "x")\n        {FIND}'),
    "chance": (("source", "draws by chance (uuid.uuid4)"), 'key = f"S-', 'import uuid\n        uuid.uuid4()\n        key = f"S-'),
    "hash seed": (("replay", "PYTHONHASHSEED"), FIND, 'return list({"x", "yy", "zzz", "w", "v", "u", name})\n        ' + FIND),
    "state outside": (("replay", "a fresh backend"), FIND, f"Shop.calls = getattr(Shop, 'calls', 0) + 1\n        return [str(Shop.calls)]\n        {FIND}"),
    "partial write": (("partial write", "'sold_out'"), "if count < 1 or", 'self.stock[product]["asked"] = 1\n        if count < 1 or'),
    "crash": (("crash", "ZeroDivisionError"), FIND, f"1 / 0\n        {FIND}"),
    "no data": (("crash", "return data that JSON can hold"), FIND, f"return object()\n        {FIND}"),
    "state becomes unfreezable": (("state", "self.last is of type"), 'key = f"S-', 'self.last = object()\n        key = f"S-'),
    "identity": (
        ("refusal", "has changed something"),
        'key = f"S-{len(self.sales) + 1:03d}"',
        'key = f"S-{len(self.sales) + 1:03d}"\n        self._cache = None; Shop.made = getattr(Shop, "made", 0) + 1; key += str(Shop.made)',
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, tmp_path: Path) -> None:
    """By the check that is there for it."""
    (check, words), what, instead = FAULTS[name]
    assert what in SOUND
    report = audited(tmp_path, SOUND.replace(what, instead, 1))
    assert any(f.check == check and words in f.detail for f in report.failures), report.failures


def test_errors_that_are_never_reached_are_reported(tmp_path: Path) -> None:
    """As unaudited, since a drawn call may not find them."""
    report = audited(tmp_path, SOUND.replace("            sold_out:", "            on_fire: It burns.\n            sold_out:"))
    assert [(f.tool, f.check, f.detail) for f in report.unaudited] == [("sell", "unreached", "on_fire was never reached")]


CLOCKS = {
    "import time\ntime.time()": "clock",
    "from datetime import datetime as d\nd.utcnow()": "clock",
    "import datetime as dt\ndt.date.today()": "clock",
    "import random\nrandom.choice([1])": "all share",
    "import random\nrandom.Random()": "without a seed",
    "from secrets import token_hex\ntoken_hex()": "by chance",
    "import os\nos.urandom(3)": "by chance",
    "hash('a')": "hash()",
    "def f():\n    global x\n    x = 1": "outside the instance",
}


@pytest.mark.parametrize("text", CLOCKS)
def test_the_lint_reads_the_code(text: str) -> None:
    """Whatever the import is called; nothing is run."""
    assert [CLOCKS[text] in what for _, what in lint({"a.py": text.encode()})] == [True]
    assert list(lint({"a.py": b"import random\nrandom.Random(7).random()\nnow = 1\n", "b.json": b"{"})) == []


@pytest.mark.slow
def test_the_example_has_no_finding() -> None:
    """Each tool succeeds; what drawn calls and solutions never reach is said."""
    path = Path(__file__).parent.parent / "examples" / "retail" / "retail.py"
    domain = load_domain(path, trust=True)
    report = audit_toolkit(domain, partial(in_process, domain), tasks=tasks_beside(path, domain).tasks, thorough=False)
    assert report.failures == ()
    assert {finding.check for finding in report.unaudited} <= {"unreached"}
