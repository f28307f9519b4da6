"""The chat agent against a real endpoint: a local HTTP server that speaks the chat-completions protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from openai import InternalServerError

from agents.agent import Opening, OutOfBudget, Turn, finish_call
from agents.budget import Budget, Funds, Spent
from agents.chat import ChatAgent, Endpoint, Sampling
from agents.episode import play
from agents.trajectory import dump_trajectory, load_trajectory
from agents.validate import Verdict, validate
from endpoint import Reply, completion, serving
from envs import ToolEnv
from packs import small_pack
from synthtools.pack import load_pack
from synthtools.task import resolve
from synthtools.tool import ToolCall

TOOLS = ({"type": "function", "function": {"name": "get_boat", "description": "A boat.", "parameters": {"type": "object", "properties": {}}}},)
FREE = Budget()
OPENING = Opening("marina/chain/0001", "Today is 2026-06-12.", "Where is Halcyon?", TOOLS, 7)


def agent(url: str, budget: Budget = FREE, **sampling: Any) -> ChatAgent:
    """A chat agent at this URL."""
    return ChatAgent(Sampling("tiny", **sampling), Endpoint(url, seconds=10, retries=2), budget=budget)


def test_parallel_calls_are_one_turn_and_their_results_go_back_together() -> None:
    """Two calls in a completion, both results in the next request, in order and under one id each; text ends the episode."""

    def script(body: dict[str, Any]) -> Reply:
        if body["messages"][-1]["role"] == "user":
            return completion("Looking.", (("get_boat", '{"id":"B-1"}'), ("get_boat", "{broken")))
        return completion("On D4.")

    with serving(script) as (url, requests):
        chat = agent(url, temperature=0.5, parallel=False)
        chat.begin(OPENING)
        first = chat.act(["opening"])
        last = chat.act(['{"id":"B-1"}', '{"error":"invalid_json"}'])
    assert first == Turn((ToolCall("get_boat", '{"id":"B-1"}'), ToolCall("get_boat", "{broken")), "Looking.", 20)
    assert last == Turn((finish_call("On D4."),), "On D4.", 20, spoken=True)
    assert requests[0]["tools"] == list(TOOLS)
    assert requests[0]["temperature"] == 0.5
    assert requests[0]["parallel_tool_calls"] is False
    assert requests[0]["messages"][0]["content"].endswith("Today is 2026-06-12.")
    assert requests[0]["messages"][1] == {"role": "user", "content": "Where is Halcyon?"}
    assert requests[1]["messages"][3:] == [
        {"role": "tool", "tool_call_id": "call00000", "content": '{"id":"B-1"}'},
        {"role": "tool", "tool_call_id": "call00001", "content": '{"error":"invalid_json"}'},
    ]


def test_where_there_is_a_user_text_is_said_to_them_and_their_reply_comes_back_as_theirs() -> None:
    """Text alone is `respond`, which does not end the episode."""
    respond = {"type": "function", "function": {"name": "respond", "description": "Talk.", "parameters": {"type": "object"}}}
    with serving(lambda body: completion("Which boat?")) as (url, requests):
        chat = agent(url)
        chat.begin(replace(OPENING, tools=(*TOOLS, respond)))
        turn = chat.act(["opening"])
        chat.act(['{"reply":"The blue one."}'])
    assert turn == Turn((ToolCall("respond", {"text": "Which boat?"}),), "Which boat?", 20, spoken=True)
    assert requests[1]["messages"][2:] == [{"role": "assistant", "content": "Which boat?"}, {"role": "user", "content": "The blue one."}]


def test_a_new_episode_is_a_new_conversation() -> None:
    """Nothing of the last episode is sent in the next."""
    with serving(lambda body: completion("Done.")) as (url, requests):
        chat = agent(url)
        for _ in range(2):
            chat.begin(OPENING)
            chat.act(["opening"])
    assert requests[0] == requests[1]


def test_server_errors_are_tried_again_and_then_raised() -> None:
    """Two failures are ridden out; endless ones are ours, and propagate."""
    left = [2]

    def flaky(body: dict[str, Any]) -> Reply:
        left[0] -= 1
        return (503, {"error": {"message": "busy"}}) if left[0] >= 0 else completion("Done.")

    with serving(flaky) as (url, requests):
        chat = agent(url)
        chat.begin(OPENING)
        assert chat.act(["opening"]).text == "Done."
    assert len(requests) == 3
    with serving(lambda body: (500, {"error": {"message": "down"}})) as (url, requests):
        chat = agent(url)
        chat.begin(OPENING)
        with pytest.raises(InternalServerError):
            chat.act(["opening"])
    assert len(requests) == 3


def test_what_cannot_answer_is_a_lost_connection() -> None:
    """A dead port, a key or a model that the endpoint does not know, an answer that says nothing: the error names the place."""
    with serving(lambda body: (200, completion("")[1] | {"choices": []})) as (url, _):
        chat = agent(url)
        chat.begin(OPENING)
        with pytest.raises(ConnectionError, match="tiny answered without a choice"):
            chat.act(["opening"])
    assert chat.spent.tokens == 120
    with serving(lambda body: (401, {"error": {"message": "no such key"}})) as (url, requests):
        chat = agent(url)
        chat.begin(OPENING)
        with pytest.raises(ConnectionError, match="no such key"):
            chat.act(["opening"])
    assert len(requests) == 1
    dead = ChatAgent(Sampling("tiny"), Endpoint(url, retries=0))
    dead.begin(OPENING)
    with pytest.raises(ConnectionError, match=f"{url}/ did not answer for tiny"):
        dead.act(["opening"])


@pytest.mark.parametrize("budget", [Budget(tokens=240), Budget(money=0.0003, prompt_price=1.0, completion_price=4.0)])
def test_a_spent_budget_ends_it(budget: Budget) -> None:
    """Tokens and money are counted over episodes; once spent, nothing more is asked."""
    with serving(lambda body: completion("Done.")) as (url, requests):
        chat = agent(url, budget)
        for _ in range(2):
            chat.begin(OPENING)
            chat.act(["opening"])
        chat.begin(OPENING)
        with pytest.raises(OutOfBudget):
            chat.act(["opening"])
    assert (len(requests), chat.spent.tokens) == (2, 240)


def test_a_part_of_a_budget_is_of_what_is_left() -> None:
    """Two processes share what earlier ones left; one that takes another's place goes on from what that spent."""
    budget = Budget(tokens=1000, money=2.0)
    assert budget.part(Spent(400, 1.0), 2) == Spent(300, 0.5)
    assert budget.part(Spent(4000, 9.0), 2) == Spent(0, 0.0)
    assert Budget().part(Spent(4000, 9.0), 2) is None
    with serving(lambda body: completion("Done.")) as (url, requests):
        chat = agent(url, Budget(tokens=1000))
        Funds({chat.identity: Spent(400)}, 2, {chat.identity: Spent(180)}).give({chat.identity: chat})
        chat.begin(OPENING)
        chat.act(["opening"])
        chat.begin(OPENING)
        with pytest.raises(OutOfBudget):
            chat.act(["opening"])
    assert (len(requests), chat.spent.tokens) == (1, 300)


def test_a_model_that_knows_the_way_solves_tasks_and_what_it_did_is_valid() -> None:
    """Through a real endpoint and environment: the server replies with the solution's next call, made from the results it was sent."""
    pack = load_pack(small_pack())
    tasks = {task.request: task for task in pack.tasks}
    chosen = [task for task in pack.tasks if len(task.solution) > 2 and tasks[task.request] is task][:4]

    def script(body: dict[str, Any]) -> Reply:
        task = tasks[body["messages"][1]["content"]]
        results = [json.loads(message["content"]) for message in body["messages"] if message["role"] == "tool"]
        call = resolve(task.solution[len(results)], results)
        return completion(None, ((call.name, json.dumps(call.arguments)),))

    env = ToolEnv(pack)
    with serving(script) as (url, _):
        played = [play(agent(url), task, env, pack=pack.digest, trial=0, seed=1) for task in chosen]
    for trajectory, task in zip(played, chosen, strict=True):
        assert (trajectory.success, trajectory.steps[0].tokens) == (True, 20)
        assert validate(load_trajectory(dump_trajectory(trajectory)), pack.domains[task.domain], task) == Verdict(True)


def test_identity_is_model_prompt_sampling_and_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them makes another agent, also an address from the environment; the budget does not."""
    settings = [{}, {"prompt": "Be quick."}, {"temperature": 0.1}, {"top_p": 0.9}, {"max_tokens": 9}, {"parallel": False}]
    identities = {agent("http://one", **chosen).identity for chosen in settings}
    assert len(identities) == len(settings)
    assert agent("http://one").identity == agent("http://one", Budget(tokens=1)).identity
    assert agent("http://one").identity != agent("http://two").identity
    monkeypatch.setenv("OPENAI_BASE_URL", "http://two")
    assert agent("").identity == agent("http://two").identity


def test_lone_surrogates_do_not_reach_the_record() -> None:
    """Text that UTF-8 cannot hold is replaced at the door."""
    with serving(lambda body: completion("a\ud800b", (("get_boat", '"\ud800"'),))) as (url, _):
        chat = agent(url)
        chat.begin(OPENING)
        turn = chat.act(["opening"])
    assert turn.text == "a?b"
    assert turn.calls[0].arguments == '"?"'
