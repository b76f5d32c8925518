"""Buttons, selects, modals and layouts as the real discord.py client sees them."""

import io

import discord

from tests.sandbox.clients import Bot, connected
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.people import Person
from tests.sandbox.pictures import PNG


async def test_buttons_and_every_select_work_and_update_their_message(
    sandbox: RunningSandbox, ada: Person, ben: Person
) -> None:
    received: list[object] = []

    class Panel(discord.ui.View):
        @discord.ui.button(label="Again", custom_id="again")
        async def again(
            self, interaction: discord.Interaction, button: discord.ui.Button["Panel"]
        ) -> None:
            await interaction.response.edit_message(content="pressed")

        @discord.ui.select(
            custom_id="words",
            max_values=2,
            options=[discord.SelectOption(label=word) for word in ("a", "b", "c")],
        )
        async def words(
            self, interaction: discord.Interaction, select: discord.ui.Select["Panel"]
        ) -> None:
            received.append(select.values)
            await interaction.response.defer()

        @discord.ui.select(cls=discord.ui.UserSelect, custom_id="users")
        async def users(
            self, interaction: discord.Interaction, select: discord.ui.UserSelect["Panel"]
        ) -> None:
            received.append([user.name for user in select.values])
            await interaction.response.defer()

        @discord.ui.select(cls=discord.ui.ChannelSelect, custom_id="channels")
        async def channels(
            self, interaction: discord.Interaction, select: discord.ui.ChannelSelect["Panel"]
        ) -> None:
            received.append([channel.name for channel in select.values])
            await interaction.response.defer()

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Panel")
        async def panel(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("choose", view=Panel())

    async with connected(Bot(), sandbox.details, set_up=set_up):
        await ada.command("panel")
        message = await ada.sees(lambda data: data["content"] == "choose")
        await ben.press(message, "words", values=["a", "c"])
        await ben.press(message, "users", values=[ada.id])
        await ben.press(message, "channels", values=[ada.channel_id])
        refused = await ben.press(message, "words", values=["a", "b", "c"])
        assert (await ada.press(message, "again"))["status"] == 200
        updated = await ada.sees(lambda data: data["content"] == "pressed")
    assert updated["id"] == message["id"]
    assert received == [["a", "c"], ["ada"], ["general"]]
    assert refused["status"] == 400


async def test_a_modal_with_every_component_is_opened_and_submitted(
    sandbox: RunningSandbox, ada: Person
) -> None:
    received: list[object] = []
    ui = discord.ui

    class Edit(ui.Modal, title="Edit"):
        words: ui.Label["Edit"] = ui.Label(
            text="Prompt", component=ui.TextInput(custom_id="prompt", default="night")
        )
        files: ui.Label["Edit"] = ui.Label(
            text="Pictures", component=ui.FileUpload(custom_id="files", max_values=2)
        )
        kinds: ui.Label["Edit"] = ui.Label(
            text="Kinds",
            component=ui.Select(
                custom_id="kinds", options=[discord.SelectOption(label=word) for word in "ab"]
            ),
        )
        one: ui.Label["Edit"] = ui.Label(
            text="One",
            component=ui.RadioGroup(
                custom_id="one",
                options=[discord.RadioGroupOption(label=word, value=word) for word in "xy"],
            ),
        )
        sure: ui.Label["Edit"] = ui.Label(text="Sure", component=ui.Checkbox(custom_id="sure"))

        async def on_submit(self, interaction: discord.Interaction) -> None:
            words, kinds, one = self.words.component, self.kinds.component, self.one.component
            sure, files = self.sure.component, self.files.component
            assert isinstance(words, ui.TextInput)
            assert isinstance(kinds, ui.Select)
            assert isinstance(one, ui.RadioGroup)
            assert isinstance(sure, ui.Checkbox)
            assert isinstance(files, ui.FileUpload)
            received.extend([words.value, kinds.values, one.value, sure.value, files.values])
            await interaction.response.send_message("submitted", ephemeral=True)

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Edit")
        async def edit(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Edit())

    async with connected(Bot(), sandbox.details, set_up=set_up):
        (upload,) = await ada.upload(("a.png", PNG))
        await ada.command("edit")
        modal = await ada.sees(lambda _: True, kind="MODAL")
        values = {"prompt": "fog", "files": [upload["id"]], "kinds": ["b"], "one": "y"}
        refused = await ada.submit(modal, values | {"kinds": ["q"]})
        told = await ada.submit(modal, values | {"sure": True})
        message = await ada.sees(lambda data: data["content"] == "submitted")
    assert refused["status"] == 400
    assert told["status"] == 200
    assert received[:4] == ["fog", ["b"], "y", True]
    files = received[4]
    assert isinstance(files, list)
    assert [file.filename for file in files] == ["a.png"]
    assert message["ephemeral_for"] == ada.id


async def test_a_layout_view_with_a_gallery_and_a_file_reaches_the_member(
    sandbox: RunningSandbox, ada: Person
) -> None:
    class Panel(discord.ui.LayoutView):
        def __init__(self) -> None:
            super().__init__(timeout=None)
            gallery: discord.ui.MediaGallery[Panel] = discord.ui.MediaGallery(
                discord.MediaGalleryItem("attachment://a.png", description="a picture")
            )
            button: discord.ui.Button[Panel] = discord.ui.Button(label="Again", custom_id="again")
            self.add_item(
                discord.ui.Container(
                    discord.ui.TextDisplay("**done**"),
                    gallery,
                    discord.ui.Separator(),
                    discord.ui.File("attachment://b.csv"),
                    discord.ui.ActionRow(button),
                    accent_colour=0x123456,
                )
            )

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Panel")
        async def panel(interaction: discord.Interaction) -> None:
            await interaction.response.defer()
            files = [
                discord.File(io.BytesIO(PNG), "a.png"),
                discord.File(io.BytesIO(b"1,2"), "b.csv"),
            ]
            message = await interaction.edit_original_response(view=Panel(), attachments=files)
            await message.edit(view=Panel(), attachments=message.attachments)

    async with connected(Bot(), sandbox.details, set_up=set_up):
        await ada.command("panel")
        message = await ada.sees(lambda data: data["edited_timestamp"] is not None)
        container = message["components"][0]
        gallery, file = container["components"][1], container["components"][3]
        async with ada.http.get(gallery["items"][0]["media"]["url"]) as reply:
            picture = await reply.read()
    assert container["accent_color"] == 0x123456
    assert picture == PNG
    assert gallery["items"][0]["media"]["width"] == 32
    assert (file["name"], file["size"]) == ("b.csv", 3)
    assert message["flags"] & (1 << 15)
