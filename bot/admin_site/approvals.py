"""The page where admins decide on pictures that wait to be shown."""

from dataclasses import dataclass

from aiohttp import web

from bot.admin_site.doors import SESSION
from bot.admin_site.pages import Pages
from bot.forms import MAX_REASON
from bot.prompts import clean_prompt
from storage.errors import DecidedError
from storage.records import JobState
from storage.reviews import Review

PICTURE_SIDE = 512
VERDICTS = {"approve": True, "refuse": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPages:
    """What waits for approval, and the decisions; ``pages`` draws, and knows who may see what."""

    pages: Pages

    async def waiting(self, request: web.Request) -> web.Response:
        """List what waits, that which has waited longest first."""
        pages, guild = self.pages, self.pages.guild(request)
        services = pages.services
        reviews = await services.reviews.waiting(guild.id)
        names = await pages.names(review.job.member_id for review in reviews)
        approvals = (await services.guilds.holding(guild.id)).choices.approvals
        return pages.page(
            request,
            "approvals.html",
            guild=guild,
            reviews=[
                {
                    "id": review.job.id,
                    "who": names[review.job.member_id],
                    "where": pages.place(guild, review.job.channel_id),
                    "prompt": review.job.prompt or "",
                    "since": review.job.held_at,
                    "numbers": sorted(review.job.outputs),
                }
                for review in reviews
            ],
            places=[
                {
                    "where": pages.place(guild, each.channel_id) if each.channel_id else "",
                    "review": pages.place(guild, each.review_channel_id),
                    "troubled": each.trouble is not None,
                }
                for each in sorted(approvals.values(), key=lambda it: it.channel_id)
            ],
            longest=MAX_REASON,
            said=request.query.get("said", ""),
        )

    async def picture(self, request: web.Request) -> web.Response:
        """Show a picture that waits in this guild, smaller than it is."""
        review = await self._held(request)
        file = review.job.outputs.get(int(request.match_info["number"]))
        data = None
        if file is not None:
            data = await self.pages.thumbnails.small(file, max_side=PICTURE_SIDE)
        if data is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "private, max-age=60"}
        return web.Response(body=data, content_type="image/jpeg", headers=headers)

    async def decide(self, request: web.Request) -> web.Response:
        """Approve or refuse one."""
        guild, form = self.pages.guild(request), await self.pages.doors.form(request)
        said = form.get("verdict", "")
        if said not in VERDICTS:
            raise web.HTTPBadRequest(text="neither approved nor refused")
        try:
            await self.pages.services.dispatcher.decide(
                form.get("job", ""),
                guild_id=guild.id,
                actor_id=request[SESSION].actor_id,
                approved=VERDICTS[said],
                reason=clean_prompt(form.get("reason", "")[:MAX_REASON]),
            )
        except DecidedError:
            said = "decided"
        raise web.HTTPSeeOther(f"/admin/{guild.id}/approvals?said={said}")

    async def _held(self, request: web.Request) -> Review:
        guild = self.pages.guild(request)
        review = await self.pages.services.reviews.find(request.match_info["job"])
        if review is None or review.job.guild_id != guild.id:
            raise web.HTTPNotFound
        if review.job.state is not JobState.HELD:
            raise web.HTTPNotFound
        return review
