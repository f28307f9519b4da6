"""Attacks on the sandbox from inside, one a test: each comes to a typed end, and the next episode in the same pool is as good as new."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import engine
from envs import ToolEnv
from envs.worlds import worlds_of
from synthtools.backend import Snapshot
from synthtools.domain import Domain, ToolkitCode
from synthtools.goal import Alternative, Answer, Goal
from synthtools.load import load_domain
from synthtools.sandbox import DockerBackend, Limits, Pool, SandboxError, frames, wire
from synthtools.sandbox.container import Container
from synthtools.sandbox.engine import LABEL
from synthtools.sandbox.owner import process_of
from synthtools.task import SolutionStep, Task
from synthtools.tool import ToolCall, ToolResult
from synthtools.toolkit.load import domain_of

pytestmark = [pytest.mark.docker, pytest.mark.hostile]
HERE = Path(__file__).parent / "hostile"
CODE = ToolkitCode("tools.py:Hostile", {"tools.py": (HERE / "tools.py").read_bytes()})
SECONDS = 2.0


def limits() -> Limits:
    """Small ones, so that attacks come to their end soon."""
    return Limits(memory_mb=512, cpus=1.0, call_seconds=SECONDS, worker_memory_mb=128)


@pytest.fixture(scope="module")
def domain() -> Domain:
    """The hostile toolkit, described in a container of its own."""
    engine()
    return domain_of(CODE, trust=False)


def start(domain: Domain, pool: Pool) -> DockerBackend:
    """An episode of it."""
    backend = DockerBackend(domain, pool=pool)
    backend.reset(Snapshot(domain.digest, 0))
    return backend


def resident() -> int:
    """Bytes of memory that this process holds now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.fixture
def pool(domain: Domain) -> Iterator[Pool]:
    """A pool for one attack. Afterwards a second episode works, and nothing is left: no process, no bytes, no memory, no container."""
    made = Pool(engine(), limits=limits(), spares=0)
    start(domain, made).close()
    before = resident()
    yield made
    second = start(domain, made)
    assert second.call(ToolCall("ping", {})).content == '"pong"'
    assert attack(second, "is_poisoned") == "clean"
    second.close()
    container = made.container(domain)
    until = time.monotonic() + 5
    while container.state()["workers"] and time.monotonic() < until:
        time.sleep(0.02)
    assert len(engine().client.api.top(container.id)["Processes"]) == 1
    assert not engine().client.api.diff(container.id)
    assert resident() - before < 20 << 20
    made.close()
    assert container.id not in owned(os.getpid())
    assert not container.folder.exists()


def attack(backend: DockerBackend, name: str, argument: str = "") -> str:
    """What an attack says that it came to. Raises SandboxError."""
    result = backend.call(ToolCall("attack", {"name": name, "argument": argument}))
    assert isinstance(result, ToolResult)
    assert result.error is None, result
    said: str = json.loads(result.content)
    return said


def outcome(backend: DockerBackend, *calls: ToolCall) -> ToolResult | SandboxError:
    """The last result, or the failure on the way to it."""
    try:
        return [backend.call(call) for call in calls][-1]
    except SandboxError as error:
        return error


def attacking(name: str) -> ToolCall:
    """The call of an attack."""
    return ToolCall("attack", {"name": name})


PING = ToolCall("ping", {})

BLOCKED = {
    "1 fork bomb": "fork_bomb",
    "2 thread bomb": "thread_bomb",
    "7 disk": "fill_disk",
    "8 inodes": "fill_inodes",
    "9 one huge file": "one_huge_file",
    "10 writing elsewhere": "write_elsewhere",
    "11 output flood": "flood",
    "16 network": "network",
    "17 odd sockets": "odd_sockets",
    "18 abstract sockets": "abstract_sockets",
    "19 the engine's sockets": "engine_sockets",
    "20 namespaces": "namespaces",
    "21 privileges": "privileges",
    "23 killing others": "kill_all",
    "24 kernel calls": "kernel_calls",
    "25 other programs": "programs",
    "28 descriptors": "descriptors",
    "30 symlinks": "symlinks",
    "31 the shared socket": "replace_the_link",
    "37 proc and sys": "proc_writes",
    "38 limits": "raise_limits",
    "40 SQL": "sql",
    "42 grandchildren": "grandchild",
    "45 hard links": "links",
    "46 machine code": "native_execve",
}
"""Row → the attack, which must find every way blocked."""


@pytest.mark.parametrize("row", BLOCKED)
def test_it_is_blocked(row: str, domain: Domain, pool: Pool) -> None:
    """Every way that the attack tries is refused, and it lives to say so."""
    backend = start(domain, pool)
    assert attack(backend, BLOCKED[row]).startswith("blocked")
    assert pool.container(domain).link_is_ours
    backend.close()


ENDED = {
    "3 memory bomb": ("memory_bomb", "memory"),
    "4 loop": ("loop", "timeout"),
    "5 deaf sleeper": ("deaf_sleeper", "timeout"),
    "6 regex": ("regex", "timeout"),
    "6 power": ("power", "timeout memory"),
    "13 every descriptor": ("every_descriptor", "protocol"),
    "14 old number": ("old_number", "protocol"),
    "14 huge frame": ("huge_frame", "protocol"),
    "14 not JSON": ("not_json", "protocol"),
    "14 deep JSON": ("deep_json", "protocol"),
    "15 forged exception": ("forged_exception", "protocol"),
    "26 segfault": ("segfault", "crashed"),
    "26 abort": ("abort", "crashed"),
    "26 leave": ("leave", "crashed"),
    "26 kill itself": ("kill_itself", "memory crashed"),
    "27 core dump": ("core", "crashed"),
    "29 zlib bomb": ("zlib_bomb", "memory timeout"),
    "29 JSON bomb": ("json_bomb", "tool crashed"),
    "29 nested lists": ("nested_lists", "memory timeout"),
    "40 SQL loop": ("sql_loop", "timeout"),
    "41 slow drip": ("drip", "timeout"),
    "47 closed link": ("close_the_link", "crashed"),
    "48 rerouted link": ("reroute_the_link", "timeout crashed protocol"),
    "49 stopped by itself": ("stop_itself", "timeout"),
    "50 error that has no words": ("odd_error", "tool crashed"),
    "51 endless error": ("long_error", "tool memory"),
    "52 polite exit": ("leave_politely", "tool"),
    "53 interrupt": ("interrupt", "tool crashed"),
    "54 32-bit calls": ("native_32_bit", "crashed"),
    "55 everything at once": ("everything_at_once", "memory crashed tool timeout protocol"),
    "46 x32 numbers": ("native_x32", "crashed"),
    "56 early answer": ("lie_and_run", "timeout protocol"),
}
"""Row → the attack, and the kinds of failure of which it must end in one."""


@pytest.mark.parametrize("row", ENDED)
def test_it_comes_to_a_typed_end(row: str, domain: Domain, pool: Pool) -> None:
    """The call, or at the latest the next one, is one SandboxError of a kind that says what happened, in one short line."""
    name, kinds = ENDED[row]
    backend, begun = start(domain, pool), time.monotonic()
    failure = outcome(backend, attacking(name), PING)
    assert isinstance(failure, SandboxError)
    assert failure.kind in kinds.split()
    assert len(str(failure)) < 400
    assert "\n" not in str(failure)
    assert time.monotonic() - begun < 3 * SECONDS + 4
    with pytest.raises(SandboxError, match="reset first"):
        backend.call(PING)


def test_12_a_printed_reply_is_no_reply(domain: Domain, pool: Pool) -> None:
    """What a tool prints goes nowhere; its result is what it returns."""
    backend = start(domain, pool)
    assert attack(backend, "print_a_reply") == "real"
    assert attack(backend, "print_a_reply") == "real"


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.floats(), lambda s: st.lists(s) | st.dictionaries(st.text(), s))


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_14_whatever_comes_out_is_read_or_refused(payload: bytes) -> None:
    """Any bytes at all, read as any kind of answer: a value of the right type, or Garbled; nothing else is raised."""
    domain = load_domain("marina_berths")
    readers: list[Callable[[Any], object]] = [wire.result, wire.report, wire.description, partial(wire.results, count=1)]
    readers += [partial(wire.snapshot, digest=domain.digest), partial(wire.changes, domain=domain)]
    for read in readers:
        with contextlib.suppress(frames.Garbled):
            read(frames.unpack_answer(payload))


def test_22_another_episode_cannot_be_spied_on(domain: Domain, pool: Pool) -> None:
    """Neither by ptrace nor through /proc, the supervisor no more than a sibling."""
    one, two = start(domain, pool), start(domain, pool)
    sibling = attack(two, "plant")
    for pid in ("1", sibling):
        assert attack(one, "spy", pid).startswith("blocked")
    assert two.call(ToolCall("ping", {})).error is None


def test_23_siblings_live_on(domain: Domain, pool: Pool) -> None:
    """While one episode tries to kill all, dies, and is replaced, another goes on."""
    one, two = start(domain, pool), start(domain, pool)
    assert attack(one, "kill_all").startswith("blocked")
    with pytest.raises(SandboxError):
        attack(one, "segfault")
    one.reset(Snapshot(domain.digest, 0))
    assert two.call(ToolCall("ping", {})).error is None
    assert attack(one, "is_poisoned") == "clean"


def test_32_what_is_patched_stays_in_its_episode(domain: Domain, pool: Pool) -> None:
    """Poisoned modules, builtins, traces and collector hooks are gone with the episode, also when the same backend is reset."""
    backend = start(domain, pool)
    poisoned = outcome(backend, attacking("poison"))
    assert isinstance(poisoned, ToolResult) or poisoned.kind in ("crashed", "tool", "protocol", "timeout")
    backend.reset(Snapshot(domain.digest, 0))
    assert attack(backend, "is_poisoned") == "clean"
    backend.close()


def test_33_nothing_of_another_episode_is_found(domain: Domain, pool: Pool) -> None:
    """Planted in memory, in builtins and in its scratch folder; a sibling and a successor find nothing."""
    one, two = start(domain, pool), start(domain, pool)
    attack(one, "plant")
    assert attack(two, "search", "canary-planted") == "nothing"
    one.close()
    assert attack(start(domain, pool), "search", "canary-planted") == "nothing"


def test_34_goals_never_enter(domain: Domain) -> None:
    """Words of a request, a goal and a solution, searched for by the host in the memory of every process of the container: none; one of a call is."""
    if os.getuid() != 0:
        pytest.skip("only root may read the memory of the container's processes")
    asked, right, sent = (f"{word}-{time.time_ns()}" for word in ("asked", "right", "sent"))
    finish = SolutionStep("finish", {"outcome": "done", "answer": right})
    task = Task("hostile/0", domain.name, "Custom", "train", "question", 1, Snapshot(domain.digest, 0), (), asked, _goal(right), (finish,))
    env = ToolEnv(worlds_of([task], {domain.name: domain}), backend="docker")
    env.reset(options={"task": task})
    env.step(ToolCall("no_such_tool", {"x": sent}))
    assert isinstance(env.backend, DockerBackend)
    listed = engine().client.api.top(env.backend.pool.container(domain).id, ps_args="-o pid")["Processes"]
    found = [holds(int(pid), [asked, right, sent]) for (pid,) in listed]
    assert [any(column) for column in zip(*found, strict=True)] == [False, False, True]
    assert env.step(ToolCall("finish", {"outcome": "done", "answer": right}))[1] == 1.0
    found = [holds(int(pid), [asked, right]) for (pid,) in listed]
    assert [any(column) for column in zip(*found, strict=True)] == [False, False]
    env.close()


def _goal(answer: str) -> Goal:
    return Goal((Alternative((), answer=Answer("word", answer)),))


def holds(pid: int, words: list[str]) -> list[bool]:
    """Whether each word stands in a process's memory."""
    found = [False] * len(words)
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match:
                low, high = (int(part, 16) for part in match.groups())
                try:
                    memory.seek(low)
                    data = memory.read(high - low)
                except (OSError, ValueError, OverflowError):
                    continue
                found = [was or word.encode() in data for was, word in zip(found, words, strict=True)]
    return found


def test_35_nothing_of_the_host_is_shown(domain: Domain, pool: Pool) -> None:
    """No variable, argument, mount or file names the host, its user, its folders or its size."""
    said = json.loads(attack(start(domain, pool), "secrets"))
    assert set(said["environ"]) <= {"LD_LIBRARY_PATH", "PYTHONHASHSEED", "PATH", "HOSTNAME", "HOME", "TMPDIR", "LC_CTYPE"}
    assert said["host"] in ("", "sandbox")
    if pool.container(domain).state()["landlock"]:
        assert said["shown"] == []


def test_36_chance_is_the_same_everywhere(domain: Domain, pool: Pool) -> None:
    """Hashes, sets and unseeded random numbers are equal in two containers."""
    other = Pool(engine(), limits=limits(), spares=0)
    assert attack(start(domain, pool), "chance") == attack(start(domain, other), "chance")
    other.close()


def test_a_container_asks_for_no_more_processors_than_there_are(domain: Domain) -> None:
    """On a machine with fewer than the limit, it gets them all and runs."""
    greedy = Pool(engine(), limits=replace(limits(), cpus=10_000.0), spares=0)
    assert start(domain, greedy).call(ToolCall("ping", {})).error is None
    facts = engine().client.api.inspect_container(greedy.container(domain).id)
    assert facts["HostConfig"]["NanoCpus"] == engine().cpus * 10**9
    greedy.close()


def test_39_a_hog_is_held(domain: Domain, pool: Pool) -> None:
    """A container has a quota of processor time; an episode beside one that loops is answered, and the loop is ended."""
    facts = engine().client.api.inspect_container(pool.container(domain).id)
    assert facts["HostConfig"]["NanoCpus"] == int(min(limits().cpus, engine().cpus) * 1e9)
    hog, quiet = start(domain, pool), start(domain, pool)
    number = hog.post_call(ToolCall("attack", {"name": "loop"}))
    assert quiet.call(ToolCall("ping", {})).error is None
    with pytest.raises(SandboxError, match="timeout"):
        hog.result(number, time.monotonic() + 1)


CLIENT = """
import sys
from pathlib import Path
from synthtools.backend import Snapshot
from synthtools.domain import ToolkitCode
from synthtools.sandbox import DockerBackend, Limits, Pool
from synthtools.tool import ToolCall
from synthtools.toolkit.load import domain_of
domain = domain_of(ToolkitCode("tools.py:Hostile", {"tools.py": Path(sys.argv[1]).read_bytes()}), trust=False)
backend = DockerBackend(domain, pool=Pool(limits=Limits(call_seconds=600), spares=0))
backend.reset(Snapshot(domain.digest, 0))
backend.post_call(ToolCall("attack", {"name": "deaf_sleeper"}))
print("begun", flush=True)
input()
"""


def test_43_a_client_killed_in_the_middle_of_a_deaf_call(pool: Pool) -> None:
    """Within five seconds the container is gone, though its tool hears nothing."""
    command = [sys.executable, "-c", CLIENT, str(HERE / "tools.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent.parent) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "begun\n"
        client.send_signal(signal.SIGKILL)
        client.wait()
    until = time.monotonic() + 5
    while owned(client.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert owned(client.pid) == []


def owned(pid: int) -> list[str]:
    """Containers of a process."""
    return [str(c.id) for c in engine().containers() if process_of(c.labels[f"{LABEL}.owner"]) == pid]


def test_44_a_container_removed_in_the_middle_of_a_call(domain: Domain, pool: Pool) -> None:
    """The call under way is `lost`, is not tried again, and the pool has another container."""
    backend = start(domain, pool)
    container: Container = pool.container(domain)
    number = backend.post_call(ToolCall("attack", {"name": "deaf_sleeper"}))
    engine().remove(container.id)
    with pytest.raises(SandboxError) as error:
        backend.result(number, time.monotonic() + SECONDS)
    assert error.value.kind == "lost"
    assert start(domain, pool).call(ToolCall("ping", {})).error is None
    assert pool.container(domain).id != container.id


def test_57_a_huge_result_is_the_agents_limit(domain: Domain, pool: Pool) -> None:
    """A hundred megabytes come back as `limit`, or end the worker for want of memory; the host never holds them."""
    result = outcome(start(domain, pool), attacking("huge_result"))
    assert result.error == "limit" if isinstance(result, ToolResult) else result.kind in ("memory", "crashed")


def test_58_a_swollen_state_is_not_carried_out(domain: Domain, pool: Pool) -> None:
    """A state of forty megabytes has a snapshot that no frame takes: a typed failure, and the host's memory is as it was."""
    backend = start(domain, pool)
    swollen = outcome(backend, ToolCall("swell", {"megabytes": 40}))
    if isinstance(swollen, ToolResult):
        with pytest.raises(SandboxError):
            backend.snapshot()


def test_64_a_scratch_folder_that_resists_is_cleared(domain: Domain, pool: Pool) -> None:
    """Nine hundred folders deep and forbidden to its owner: siblings do not notice, and the next episode has all names to itself again."""
    one, two = start(domain, pool), start(domain, pool)
    assert re.match(r"buried [6-9]\d\d deep", attack(one, "bury"))
    one.close()
    three = start(domain, pool)
    assert two.call(PING).error is None
    said = re.match(r"blocked: 28 after (\d+)", attack(three, "fill_inodes"))
    assert said is not None
    assert int(said.group(1)) > 900


IMPORTS = {
    "59 leaves on import": "import os; os._exit(0)",
    "60 loops on import": "while True: pass",
    "61 forks on import": "import os\nwhile True: os.fork()",
    "62 writes to the link on import": "import os; os.write(3, b'\\x00\\x00\\x00\\x02[]')",
    "63 describes itself without end": "class Hostile:\n    '''x'''\n    policies = {str(i): 'x' * 100_000 for i in range(400)}\n",
}


@pytest.mark.parametrize("row", IMPORTS)
def test_an_import_that_attacks(row: str, pool: Pool) -> None:
    """A file that does harm when it is imported, or lies about itself, is one typed error for whoever loads it."""
    code = ToolkitCode("tools.py:Hostile", {"tools.py": IMPORTS[row].encode()})
    with pytest.raises((SandboxError, ValueError)) as error:
        domain_of(code, trust=False)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


def test_the_disk_is_as_it_was(domain: Domain, pool: Pool) -> None:
    """What episodes write lies in memory, and is gone with them: the next has the whole scratch again."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    for _ in range(3):
        backend = start(domain, pool)
        assert re.match(r"blocked: \d+ after 1[3-6] MiB", attack(backend, "fill_disk"))
        backend.close()
        time.sleep(0.2)
    assert free - shutil.disk_usage(tempfile.gettempdir()).free < 100 << 20
