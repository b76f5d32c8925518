"""A discord.py bot that uses every feature the page draws; it has nothing to do with Atelier."""

import asyncio
import io
from typing import Self

import discord
from discord import app_commands, ui
from PIL import Image, ImageDraw

from tests.sandbox.clients import Bot

GARDEN = ("rose", "tulip", "willow", "wisteria")


def picture(
    hue: int, *, size: tuple[int, int] = (640, 426), name: str = "picture.png"
) -> discord.File:
    """Return a picture that is plainly told from others: a colour with a lighter disc."""
    drawn = Image.new("HSV", size, (hue, 150, 110)).convert("RGB")
    width, height = size
    box = (width // 3, height // 4, width // 3 + height // 2, height * 3 // 4)
    ImageDraw.Draw(drawn).ellipse(box, fill=(240, 220, 180))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    buffer.seek(0)
    return discord.File(buffer, name, description="A disc on a field")


class Press(ui.View):
    """Buttons of all styles and a select, the classic way."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.pressed = 0
        self.add_item(ui.Button(label="Read", url="https://example.org/guide"))

    @ui.button(label="Count", style=discord.ButtonStyle.primary, custom_id="count")
    async def count(self, interaction: discord.Interaction, _: ui.Button[Self]) -> None:
        self.pressed += 1
        await interaction.response.edit_message(content=f"Pressed {self.pressed} times.")

    @ui.button(label="Whisper", style=discord.ButtonStyle.success, custom_id="whisper")
    async def whisper(self, interaction: discord.Interaction, _: ui.Button[Self]) -> None:
        await interaction.response.send_message("A whisper for you alone.", ephemeral=True)

    @ui.button(label="Fail", style=discord.ButtonStyle.danger, custom_id="fail")
    async def fail(self, interaction: discord.Interaction, _: ui.Button[Self]) -> None:
        await asyncio.sleep(0)

    @ui.button(label="Off", disabled=True, custom_id="off")
    async def off(self, interaction: discord.Interaction, _: ui.Button[Self]) -> None:
        raise AssertionError("a disabled button was pressed")

    @ui.select(
        custom_id="season",
        placeholder="Choose seasons",
        max_values=2,
        options=[
            discord.SelectOption(label="Spring", description="Rain and blossom"),
            discord.SelectOption(label="Summer", description="Long light"),
            discord.SelectOption(label="Autumn"),
            discord.SelectOption(label="Winter"),
        ],
    )
    async def season(self, interaction: discord.Interaction, select: ui.Select[Self]) -> None:
        await interaction.response.send_message("Seasons: " + ", ".join(select.values))


class Questions(ui.Modal, title="A few questions"):
    """A modal with a text display, both kinds of text input, radio buttons and an upload."""

    def __init__(self) -> None:
        super().__init__()
        self.heading: ui.TextInput[Self] = ui.TextInput(custom_id="heading", max_length=20)
        story: ui.TextInput[Self] = ui.TextInput(
            custom_id="story", style=discord.TextStyle.paragraph, required=False, default="Once."
        )
        self.light: ui.RadioGroup[Self] = ui.RadioGroup(
            custom_id="light",
            options=[
                discord.RadioGroupOption(label="Day", value="day"),
                discord.RadioGroupOption(label="Night", value="night"),
            ],
        )
        self.sketch: ui.FileUpload[Self] = ui.FileUpload(custom_id="sketch", required=False)
        self.add_item(ui.TextDisplay("Tell us **what you want**."))
        self.add_item(ui.Label(text="Title", component=self.heading))
        self.add_item(ui.Label(text="Story", description="As long as you like.", component=story))
        self.add_item(ui.Label(text="Light", component=self.light))
        self.add_item(ui.Label(text="Sketch", component=self.sketch))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        files = [found.filename for found in self.sketch.values]
        await interaction.response.send_message(
            f"Got {self.heading.value} at {self.light.value} with {files}"
        )


class More(ui.Modal, title="More fields"):
    """A modal with a select, checkboxes and a single checkbox."""

    def __init__(self) -> None:
        super().__init__()
        self.season: ui.Select[Self] = ui.Select(
            custom_id="season",
            options=[discord.SelectOption(label="Spring"), discord.SelectOption(label="Winter")],
        )
        self.colours: ui.CheckboxGroup[Self] = ui.CheckboxGroup(
            custom_id="colours",
            options=[
                discord.CheckboxGroupOption(label="Red", value="red"),
                discord.CheckboxGroupOption(label="Blue", value="blue"),
            ],
        )
        self.loud: ui.Checkbox[Self] = ui.Checkbox(custom_id="loud")
        self.add_item(ui.Label(text="Season", component=self.season))
        self.add_item(ui.Label(text="Colours", component=self.colours))
        self.add_item(ui.Label(text="Loud", component=self.loud))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        colours = sorted(self.colours.values)
        await interaction.response.send_message(
            f"More: {self.season.values} {colours} {self.loud.value}"
        )


class Showcase(ui.LayoutView):
    """Components V2: everything a message may hold."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        gallery: ui.MediaGallery[Self] = ui.MediaGallery(
            discord.MediaGalleryItem("attachment://one.png", description="The first disc"),
            discord.MediaGalleryItem("attachment://two.png"),
            discord.MediaGalleryItem("attachment://three.png", spoiler=True),
        )
        again: ui.Button[Self] = ui.Button(
            label="Again", style=discord.ButtonStyle.primary, custom_id="again"
        )
        again.callback = self.again  # type: ignore[method-assign]
        person: ui.UserSelect[Self] = ui.UserSelect(custom_id="person", placeholder="Somebody")
        person.callback = self.person  # type: ignore[method-assign]
        self.chosen = person
        box: ui.Container[Self] = ui.Container(
            ui.Section(
                ui.TextDisplay("## Three discs\n**Seed** `42` · -# not small here"),
                accessory=ui.Thumbnail("attachment://one.png"),
            ),
            gallery,
            ui.Separator(),
            ui.Section(ui.TextDisplay("-# A quiet line"), accessory=again),
            ui.ActionRow(person),
            ui.File("attachment://notes.csv"),
            accent_colour=discord.Colour(0x4FAE7C),
        )
        self.add_item(ui.TextDisplay("Above the container."))
        self.add_item(box)

    async def again(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Again!", ephemeral=True)

    async def person(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"Chosen {self.chosen.values[0].mention}")


class PageBot(Bot):
    """The client with its commands; ``step`` lets the slow one go on."""

    def __init__(self) -> None:
        super().__init__()
        self.step = asyncio.Event()
        add_commands(self)


def add_commands(bot: PageBot) -> None:
    """Give the bot its commands."""
    commands: list[app_commands.Command[app_commands.Group, ..., None]] = [
        remix,
        grow,
        slow,
        layout,
        press,
        ask,
        ask_more,
        words,
        embed,
    ]
    for command in commands:
        bot.tree.add_command(command)
    bot.tree.add_command(report_group)
    bot.tree.add_command(app_commands.ContextMenu(name="Describe", callback=describe))
    bot.tree.add_command(app_commands.ContextMenu(name="Greet", callback=greet))


@app_commands.command(description="Turn a picture into another one")
@app_commands.describe(
    image="The picture", prompt="What it shall become", style="A way to paint", strength="How much"
)
@app_commands.choices(
    style=[
        app_commands.Choice(name="Watercolour", value="w"),
        app_commands.Choice(name="Oil on canvas", value="o"),
    ]
)
async def remix(
    interaction: discord.Interaction,
    image: discord.Attachment,
    prompt: str = "",
    style: app_commands.Choice[str] | None = None,
    strength: app_commands.Range[float, 0, 1] = 0.5,
    mask: discord.Attachment | None = None,
) -> None:
    data = await image.read()
    name = style.name if style else "none"
    through = f" through {mask.filename}" if mask else ""
    await interaction.response.send_message(
        f"Remixed {image.filename} of {len(data)} bytes: {prompt!r} {name} {strength}{through}",
        file=picture(120, name="remixed.png"),
    )


@app_commands.command(description="Plant something")
@app_commands.describe(plant="Which plant", loud="Whether to tell everybody")
async def grow(interaction: discord.Interaction, plant: str, loud: bool = False) -> None:
    await interaction.response.send_message(f"Planted {plant}, loud {loud}")


@grow.autocomplete("plant")
async def _plants(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
    found = [plant for plant in GARDEN if current.lower() in plant]
    return [app_commands.Choice(name=plant.title(), value=plant) for plant in found]


@app_commands.command(description="Answer later, in steps")
async def slow(interaction: discord.Interaction) -> None:
    bot = interaction.client
    assert isinstance(bot, PageBot)
    await interaction.response.defer(thinking=True)
    for number, hue in enumerate((20, 90, 200)):
        await bot.step.wait()
        bot.step.clear()
        await interaction.edit_original_response(
            content=f"Step {number + 1} of 3", attachments=[picture(hue, name=f"step{number}.png")]
        )


@app_commands.command(description="Show Components V2")
async def layout(interaction: discord.Interaction) -> None:
    files = [
        picture(hue, name=f"{name}.png")
        for name, hue in (("one", 10), ("two", 100), ("three", 190))
    ]
    files.append(discord.File(io.BytesIO(b"a,b\n1,2\n"), "notes.csv"))
    await interaction.response.send_message(view=Showcase(), files=files)


@app_commands.command(description="Show buttons and a select")
async def press(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("Pressed 0 times.", view=Press())


@app_commands.command(description="Open a form")
async def ask(interaction: discord.Interaction) -> None:
    await interaction.response.send_modal(Questions())


@app_commands.command(description="Open another form")
async def ask_more(interaction: discord.Interaction) -> None:
    await interaction.response.send_modal(More())


@app_commands.command(description="Say something back, word for word")
async def words(interaction: discord.Interaction, text: str) -> None:
    await interaction.response.send_message(text.replace("\\n", "\n"))


@app_commands.command(description="Show an embed")
async def embed(interaction: discord.Interaction) -> None:
    shown = discord.Embed(
        title="Usage",
        description="The last **seven days**",
        colour=0xF2A661,
        url="https://example.org",
    )
    for name, value in (("Jobs", "12"), ("Failures", "0"), ("Seconds", "34.5")):
        shown.add_field(name=name, value=value)
    shown.set_author(name="The accounts").set_footer(text="Counted just now")
    shown.set_image(url="attachment://chart.png")
    await interaction.response.send_message(embed=shown, file=picture(160, name="chart.png"))


report_group = app_commands.Group(name="usage", description="Accounts")


@report_group.command(name="report", description="What everybody used")
async def report(interaction: discord.Interaction, period: str = "7d") -> None:
    await interaction.response.send_message(f"Report over {period}", ephemeral=True)


async def describe(interaction: discord.Interaction, message: discord.Message) -> None:
    names = [found.filename for found in message.attachments]
    await interaction.response.send_message(f"Described {message.id} with {names}")


async def greet(interaction: discord.Interaction, member: discord.Member) -> None:
    await interaction.response.send_message(f"Hello {member.mention}")
