"""Messages by bare HTTP: what Discord takes, refuses and keeps."""

import pytest

from sandbox.permissions import ATTACH_FILES, SEND_MESSAGES, VIEW_CHANNEL
from sandbox.replies import Payload
from sandbox.state import Overwrite
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.people import Person
from tests.sandbox.raw import RawBot, Reply

V2 = 1 << 15
MIB = 1 << 20


def text(content: str = "hello") -> Payload:
    return {"type": 10, "content": content}


def button(custom_id: str = "a", **extra: object) -> Payload:
    return {"type": 2, "style": 1, "label": "A", "custom_id": custom_id} | extra


def row(*children: Payload) -> Payload:
    return {"type": 1, "components": list(children)}


def select(*values: str, **extra: object) -> Payload:
    options = [{"label": value, "value": value} for value in values]
    return {"type": 3, "custom_id": "s", "options": options} | extra


async def send(raw: RawBot, body: Payload, files: dict[str, bytes] | None = None) -> Reply:
    return await raw.call("POST", f"/channels/{raw.channel_id}/messages", body=body, files=files)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 50006),
        ({"content": ""}, 50006),
        ({"content": "x" * 2001}, 50035),
        ({"embeds": [{"title": "x"}] * 11}, 50035),
        ({"embeds": [{"description": "x" * 4000}] * 2}, 50035),
        ({"content": "x", "flags": V2, "components": [text()]}, 50035),
        ({"embeds": [{"title": "x"}], "flags": V2, "components": [text()]}, 50035),
        ({"flags": V2, "components": [text("")]}, 50035),
        ({"flags": V2, "components": [text("x" * 3000), text("x" * 3000)]}, 50035),
        ({"flags": V2, "components": [text()] * 41}, 50035),
        ({"flags": V2, "components": [{"type": 17, "components": [text()] * 40}]}, 50035),
        ({"flags": V2, "components": [{"type": 12, "items": []}]}, 50035),
        ({"flags": V2, "components": [{"type": 13, "file": {"url": "attachment://no"}}]}, 50035),
        ({"flags": V2, "components": [{"type": 9, "components": [text()]}]}, 50035),
        ({"content": "x", "components": [text()]}, 50035),
        ({"content": "x", "components": [row(button())] * 6}, 50035),
        ({"content": "x", "components": [row(button("a"), button("a"))]}, 50035),
        ({"content": "x", "components": [row(button("x" * 101))]}, 50035),
        ({"content": "x", "components": [row(button(label="x" * 81))]}, 50035),
        ({"content": "x", "components": [row(select("a"), button())]}, 50035),
        ({"content": "x", "components": [row(select("a", "a"))]}, 50035),
        ({"content": "x", "components": [row(select(max_values=2))]}, 50035),
        ({"content": "x", "components": [row(*[button(str(n)) for n in range(6)])]}, 50035),
    ],
)
async def test_what_discord_refuses_is_refused(raw: RawBot, body: Payload, code: int) -> None:
    reply = await send(raw, body)
    assert (reply.status, reply.code) == (400, code)


async def test_components_come_back_numbered_and_with_defaults(raw: RawBot) -> None:
    section = {"type": 9, "components": [text()], "accessory": button()}
    reply = await send(
        raw, {"flags": V2, "components": [{"type": 17, "components": [section, {"type": 14}]}]}
    )
    (container,) = reply.body["components"]
    assert (container["accent_color"], container["spoiler"]) == (None, False)
    assert container["components"][1] == {"type": 14, "id": 5, "divider": True, "spacing": 1}
    assert [container["id"], container["components"][0]["id"]] == [1, 2]


async def test_a_file_over_the_limit_is_40005_and_a_boosted_guild_takes_it(
    raw: RawBot, sandbox: RunningSandbox
) -> None:
    files = {"big.bin": bytes(10 * MIB + 1)}
    refused = await send(raw, {"content": "x"}, files)
    sandbox.state.guilds[int(raw.guild_id)].premium_tier = 2
    taken = await send(raw, {"content": "x"}, files)
    assert (refused.status, refused.code) == (413, 40005)
    assert taken.status == 200


async def test_r14_an_enforced_nonce_returns_the_first_message(
    raw: RawBot, sandbox: RunningSandbox
) -> None:
    body = {"content": "once", "nonce": "job-1", "enforce_nonce": True}
    first, second = await send(raw, body), await send(raw, body)
    loose = await send(raw, body | {"enforce_nonce": False})
    sandbox.clock.advance(600)
    later = await send(raw, body)
    assert first.body["id"] == second.body["id"]
    assert len({first.body["id"], loose.body["id"], later.body["id"]}) == 3


async def test_attachments_that_an_edit_does_not_list_are_removed(raw: RawBot) -> None:
    made = await send(raw, {"content": "x"}, {"a.txt": b"a", "b.txt": b"b"})
    path = f"/channels/{raw.channel_id}/messages/{made.body['id']}"
    first, second = made.body["attachments"]
    untouched = await raw.call("PATCH", path, body={"content": "y"})
    added = await raw.call("PATCH", path, body={"content": "z"}, files={"c.txt": b"c"})
    replaced = await raw.call(
        "PATCH",
        path,
        body={"attachments": [{"id": second["id"]}, {"id": "0", "description": "new"}]},
        files={"d.txt": b"d"},
    )
    emptied = await raw.call("PATCH", path, body={"attachments": []})
    assert [found["filename"] for found in untouched.body["attachments"]] == ["a.txt", "b.txt"]
    assert len(added.body["attachments"]) == 3
    assert [found["filename"] for found in replaced.body["attachments"]] == ["b.txt", "d.txt"]
    assert replaced.body["attachments"][1]["description"] == "new"
    assert first["id"] not in {found["id"] for found in replaced.body["attachments"]}
    assert emptied.body["attachments"] == []


async def test_an_embed_shows_its_attachment_which_is_then_not_listed(raw: RawBot) -> None:
    body = {"embeds": [{"title": "x", "image": {"url": "attachment://a.png"}}]}
    reply = await send(raw, body, {"a.png": b"picture"})
    assert reply.body["attachments"] == []
    async with raw.http.get(reply.body["embeds"][0]["image"]["url"]) as picture:
        assert await picture.read() == b"picture"


async def test_a_member_who_is_mentioned_is_named_only_when_that_is_allowed(
    raw: RawBot, ada: Person
) -> None:
    words = {"content": f"<@{ada.id}> @everyone"}
    loud = await send(raw, words)
    quiet = await send(raw, words | {"allowed_mentions": {"parse": []}})
    assert [user["id"] for user in loud.body["mentions"]] == [ada.id]
    assert loud.body["mention_everyone"]
    assert quiet.body["mentions"] == []
    assert not quiet.body["mention_everyone"]


async def test_a_reply_shows_what_it_answers(raw: RawBot, ada: Person) -> None:
    asked = await ada.say("a question")
    answer = await send(raw, {"content": "x", "message_reference": {"message_id": asked["id"]}})
    unknown = await send(raw, {"content": "x", "message_reference": {"message_id": "5"}})
    assert answer.body["referenced_message"]["content"] == "a question"
    assert answer.body["type"] == 19
    assert (unknown.status, unknown.code) == (400, 50035)


async def test_history_is_paged(raw: RawBot, sandbox: RunningSandbox, ada: Person) -> None:
    ids = [(await ada.say(str(number)))["id"] for number in range(5)]
    path = f"/channels/{raw.channel_id}/messages"
    newest = await raw.call("GET", f"{path}?limit=2")
    before = await raw.call("GET", f"{path}?limit=2&before={ids[2]}")
    after = await raw.call("GET", f"{path}?limit=2&after={ids[2]}")
    around = await raw.call("GET", f"{path}?limit=3&around={ids[2]}")
    pages = [[found["content"] for found in page.body] for page in (newest, before, after, around)]
    assert pages == [["4", "3"], ["1", "0"], ["4", "3"], ["3", "2", "1"]]


async def test_the_wrong_token_route_channel_or_message_has_its_own_error(raw: RawBot) -> None:
    messages = f"/channels/{raw.channel_id}/messages"
    replies = [
        await raw.call("GET", "/users/@me", token="wrong"),
        await raw.call("GET", "/nowhere"),
        await raw.call("GET", "/channels/5"),
        await raw.call("GET", f"{messages}/5"),
        await raw.call("GET", "/guilds/5"),
        await raw.call("GET", "/users/5"),
        await raw.call("DELETE", f"/applications/{raw.app_id}/commands/5"),
    ]
    assert [(reply.status, reply.code) for reply in replies] == [
        (401, 0),
        (404, 0),
        (404, 10003),
        (404, 10008),
        (404, 10004),
        (404, 10013),
        (404, 10063),
    ]
    assert replies[0].headers["Content-Type"] == "application/json"


async def test_r14_missing_permissions_are_50013_and_a_hidden_channel_50001(
    raw: RawBot, sandbox: RunningSandbox, ada: Person
) -> None:
    channel = sandbox.state.channels[int(raw.channel_id)]
    message = await ada.say("mine")
    path = f"/channels/{raw.channel_id}/messages"
    foreign = await raw.call("DELETE", f"{path}/{message['id']}")
    edited = await raw.call("PATCH", f"{path}/{message['id']}", body={"content": "x"})
    codes = [foreign.code, edited.code]
    for denied, files in ((ATTACH_FILES, {"a": b"a"}), (SEND_MESSAGES, None), (VIEW_CHANNEL, None)):
        channel.overwrites[int(raw.app_id)] = Overwrite(deny=denied)
        codes.append((await send(raw, {"content": "x"}, files)).code)
    assert codes == [50013, 50005, 50013, 50013, 50001]


async def test_typing_and_reactions_reach_the_member(raw: RawBot, ada: Person) -> None:
    message = await ada.say("hello")
    channel = f"/channels/{raw.channel_id}"
    typing = await raw.call("POST", f"{channel}/typing")
    await ada.sees(lambda data: data["user"]["id"] == raw.app_id, kind="TYPING")
    emoji = f"{channel}/messages/{message['id']}/reactions/%E2%9C%85/@me"
    reacted = await raw.call("PUT", emoji)
    shown = await raw.call("GET", f"{channel}/messages/{message['id']}")
    assert (typing.status, reacted.status) == (204, 204)
    assert shown.body["reactions"][0]["emoji"] == {"id": None, "name": "✅"}
