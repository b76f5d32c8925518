"""The parts of a sandbox, wired together."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from sandbox.applications import Applications
from sandbox.audience import Audience
from sandbox.builders import Builder
from sandbox.callbacks import Callbacks
from sandbox.cdn import Cdn
from sandbox.commands import CommandBook
from sandbox.faults import Faults
from sandbox.gateway import Gateway
from sandbox.interactions import Interactions
from sandbox.invoking import Invoker
from sandbox.journal import Journal
from sandbox.links import Links
from sandbox.members import Members
from sandbox.messages import Messages
from sandbox.oauth import OAuth
from sandbox.ratelimits import RateLimits
from sandbox.rest import Rest
from sandbox.state import State
from sandbox.uploads import FileStore
from sandbox.webhooks import Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that serves requests."""

    state: State
    links: Links
    files: FileStore
    gateway: Gateway
    faults: Faults
    limits: RateLimits
    journal: Journal
    audience: Audience
    commands: CommandBook
    messages: Messages
    interactions: Interactions
    callbacks: Callbacks
    webhooks: Webhooks
    oauth: OAuth
    rest: Rest
    applications: Applications
    invoker: Invoker
    members: Members
    cdn: Cdn


def assemble(state: State, *, cdn_url: str, folder: Path | None) -> Services:
    """Return the parts of a sandbox around what it remembers."""
    links = Links(clock=state.clock, secret=secrets.token_bytes(32), cdn=cdn_url, media=cdn_url)
    builder = Builder(state=state, links=links)
    files = FileStore(state=state, folder=folder)
    gateway = Gateway(state=state, links=links)
    faults = Faults(gateway=gateway)
    audience = Audience(state=state, builder=builder)
    commands = CommandBook(state=state)
    messages = Messages(state=state, files=files, gateway=gateway, audience=audience)
    interactions = Interactions(state=state, gateway=gateway, audience=audience)
    callbacks = Callbacks(
        state=state, interactions=interactions, messages=messages, audience=audience
    )
    invoker = Invoker(
        state=state, files=files, commands=commands, interactions=interactions, audience=audience
    )
    oauth = OAuth(state=state)
    return Services(
        state=state,
        oauth=oauth,
        links=links,
        files=files,
        gateway=gateway,
        faults=faults,
        limits=RateLimits(clock=state.clock),
        journal=Journal(clock=state.clock),
        audience=audience,
        commands=commands,
        messages=messages,
        interactions=interactions,
        callbacks=callbacks,
        webhooks=Webhooks(
            state=state, interactions=interactions, messages=messages, callbacks=callbacks
        ),
        rest=Rest(state=state, messages=messages, audience=audience),
        applications=Applications(
            state=state, commands=commands, gateway=gateway, audience=audience
        ),
        invoker=invoker,
        members=Members(
            state=state,
            files=files,
            commands=commands,
            messages=messages,
            interactions=interactions,
            invoker=invoker,
            audience=audience,
            builder=builder,
        ),
        cdn=Cdn(files=files, links=links, faults=faults),
    )
