"""The rules of interactions by bare HTTP, on a clock that tests turn."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from sandbox.replies import Payload
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.people import Person
from tests.sandbox.raw import RawBot, RawGateway

PING: Payload = {"name": "ping", "description": "Ping"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A bot that is connected and a member who has just used its command."""

    raw: RawBot
    gateway: RawGateway
    interaction: Payload
    outcome: "asyncio.Task[Payload]"


@pytest.fixture
async def scene(raw: RawBot, ada: Person) -> AsyncIterator[Scene]:
    await raw.register(PING)
    gateway = await raw.identified()
    await gateway.event("GUILD_CREATE")
    outcome = asyncio.create_task(ada.command("ping"))
    interaction = (await gateway.event("INTERACTION_CREATE"))["d"]
    yield Scene(raw=raw, gateway=gateway, interaction=interaction, outcome=outcome)
    outcome.cancel()


async def test_r14_a_second_answer_is_40060(scene: Scene) -> None:
    first = await scene.raw.answer(scene.interaction, 4, {"content": "one"})
    second = await scene.raw.answer(scene.interaction, 4, {"content": "two"})
    assert first.status == 204
    assert (second.status, second.code) == (400, 40060)


async def test_r14_an_answer_after_three_seconds_is_10062_and_the_member_is_told(
    scene: Scene, sandbox: RunningSandbox, ada: Person
) -> None:
    sandbox.clock.advance(3.1)
    late = await scene.raw.answer(scene.interaction, 5)
    told = await scene.outcome
    failed = await ada.sees(lambda _: True, kind="INTERACTION_FAILED")
    assert (late.status, late.code) == (404, 10062)
    assert (told["status"], told["acknowledged_ms"]) == (504, None)
    assert failed["interaction_id"] == scene.interaction["id"]


async def test_the_first_reply_does_not_exist_before_the_answer(scene: Scene) -> None:
    reply = await scene.raw.call("GET", scene.raw.original(scene.interaction))
    assert (reply.status, reply.code) == (404, 10015)


async def test_r14_a_token_lives_for_fifteen_minutes(scene: Scene, sandbox: RunningSandbox) -> None:
    path = scene.raw.original(scene.interaction)
    await scene.raw.answer(scene.interaction, 5)
    sandbox.clock.advance(14 * 60)
    in_time = await scene.raw.call("PATCH", path, body={"content": "still here"})
    sandbox.clock.advance(61)
    late = await scene.raw.call("PATCH", path, body={"content": "too late"})
    follow_up = f"/webhooks/{scene.raw.app_id}/{scene.interaction['token']}"
    later = await scene.raw.call("POST", follow_up, body={"content": "too late"})
    assert (in_time.status, in_time.body["content"]) == (200, "still here")
    assert [(found.status, found.code) for found in (late, later)] == [(401, 50027)] * 2


async def test_the_first_follow_up_takes_the_place_of_a_deferral(scene: Scene) -> None:
    await scene.raw.answer(scene.interaction, 5, {"flags": 64})
    original = await scene.raw.call("GET", scene.raw.original(scene.interaction))
    path = f"/webhooks/{scene.raw.app_id}/{scene.interaction['token']}"
    reply = await scene.raw.call("POST", path, body={"content": "here"})
    assert original.body["flags"] == 128 | 64
    assert reply.body["id"] == original.body["id"]
    assert reply.body["flags"] == 64


async def test_a_deleted_reply_is_an_unknown_message(scene: Scene) -> None:
    await scene.raw.answer(scene.interaction, 4, {"content": "one"})
    path = scene.raw.original(scene.interaction)
    deleted = await scene.raw.call("DELETE", path)
    again = await scene.raw.call("PATCH", path, body={"content": "two"})
    assert deleted.status == 204
    assert (again.status, again.code) == (404, 10008)


async def test_an_ephemeral_reply_is_not_in_the_channel(scene: Scene) -> None:
    await scene.raw.answer(scene.interaction, 4, {"content": "secret", "flags": 64})
    message = await scene.raw.call("GET", scene.raw.original(scene.interaction))
    path = f"/channels/{scene.raw.channel_id}/messages"
    listed = await scene.raw.call("GET", path)
    single = await scene.raw.call("GET", f"{path}/{message.body['id']}")
    assert listed.body == []
    assert (single.status, single.code) == (404, 10008)


@pytest.mark.parametrize("kind", [1, 6, 7, 8, 99])
async def test_an_answer_of_a_kind_that_does_not_fit_is_50035_and_leaves_the_way_open(
    scene: Scene, kind: int
) -> None:
    wrong = await scene.raw.answer(scene.interaction, kind, {"content": "x"})
    right = await scene.raw.answer(scene.interaction, 4, {"content": "x"})
    assert (wrong.status, wrong.code) == (400, 50035)
    assert right.status == 204


async def test_an_unknown_token_is_refused(scene: Scene) -> None:
    strange = scene.interaction | {"token": "nonsense"}
    answer = await scene.raw.answer(strange, 5)
    edit = await scene.raw.call("PATCH", scene.raw.original(strange), body={"content": "x"})
    other = await scene.raw.call("GET", "/webhooks/5/x/messages/@original")
    assert (answer.status, answer.code) == (404, 10062)
    assert (edit.status, edit.code) == (401, 50027)
    assert (other.status, other.code) == (404, 10015)


async def test_an_application_that_only_the_member_installed_may_follow_up_five_times(
    scene: Scene, sandbox: RunningSandbox, ada: Person
) -> None:
    guild = sandbox.state.guilds[int(scene.raw.guild_id)]
    await scene.raw.register(PING | {"integration_types": [0, 1], "contexts": [0]})
    guild.members.pop(int(scene.raw.app_id))
    outcome = asyncio.create_task(ada.command("ping"))
    interaction = (await scene.gateway.event("INTERACTION_CREATE"))["d"]
    await scene.raw.answer(interaction, 4, {"content": "first"})
    path = f"/webhooks/{scene.raw.app_id}/{interaction['token']}"
    replies = []
    for number in range(6):
        replies.append(await scene.raw.call("POST", path, body={"content": str(number)}))
        sandbox.clock.advance(2)
    send = await scene.raw.call(
        "POST", f"/channels/{scene.raw.channel_id}/messages", body={"content": "x"}
    )
    await outcome
    assert interaction["authorizing_integration_owners"] == {"1": ada.id}
    assert [reply.status for reply in replies] == [200] * 5 + [400]
    assert replies[-1].code == 40094
    assert (send.status, send.code) == (403, 50001)
