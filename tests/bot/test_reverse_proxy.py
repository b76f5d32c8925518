"""The reverse proxy of the operator's guide, as it is written there, before a running bot."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from sandbox.tls import make_certificate
from tests.bot.stage import Stage, rows
from tests.bot.test_admin_page import SECRET, csrf_of, decided, status, visitor
from tests.requirements import require
from tests.soak.__main__ import free_port
from tests.test_operating import GUIDE

OPERATOR = {"Authorization": aiohttp.encode_basic_auth("operator", "pass")}


def configuration(stage: Stage, *, port: int, bot_port: int) -> str:
    """Return the guide's server with the names, places and ports of this test."""
    (found,) = re.findall(r"```nginx\n(.+?)```", GUIDE, re.DOTALL)
    (stage.folder / "htpasswd").write_text("operator:{PLAIN}pass\n")
    certificate = make_certificate(stage.folder)
    for old, new in {
        "listen 8443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server_name atelier.example.org": "server_name localhost",
        "/etc/ssl/certs/atelier.pem": str(certificate),
        "/etc/ssl/private/atelier.key": str(certificate.with_name("certificate-key.pem")),
        "/etc/nginx/atelier.htpasswd": str(stage.folder / "htpasswd"),
        "127.0.0.1:8081": f"127.0.0.1:{bot_port}",
    }.items():
        assert old in found
        found = found.replace(old, new)
    user = "user root;" if os.geteuid() == 0 else ""
    return (
        f"{user} daemon off; pid {stage.folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {stage.folder}; "
        f"proxy_temp_path {stage.folder};\n{found} }}\n"
    )


@asynccontextmanager
async def proxied(stage: Stage, *, port: int, bot_port: int) -> AsyncIterator[None]:
    """Run nginx before the bot while the block runs."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    require("nginx", available=program is not None, cure="apt-get install nginx-light")
    assert program is not None
    file = stage.folder / "nginx.conf"
    file.write_text(configuration(stage, port=port, bot_port=bot_port))
    nginx = await asyncio.create_subprocess_exec(program, "-e", "stderr", "-c", str(file))
    try:
        async with asyncio.timeout(10):
            while not await answers(port):
                assert nginx.returncode is None
                await asyncio.sleep(0.05)
        yield
    finally:
        if nginx.returncode is None:
            nginx.terminate()
        await nginx.wait()


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.mark.slow
async def test_behind_the_guides_proxy_admins_set_limits_and_strangers_see_that_it_lives(
    stage: Stage,
) -> None:
    port = free_port()
    home = f"https://localhost:{port}"
    bot = await stage.start(web_client_secret=stage.sandbox.details[SECRET], web_url=home)
    async with proxied(stage, port=port, bot_port=bot.web_port), visitor() as cleo:
        assert await status(cleo, f"{home}/healthz") == 200
        for page in ("/metrics", "/overview", "/readyz"):
            assert await status(cleo, home + page) == 401
            assert await status(cleo, home + page, headers=OPERATOR) == 200
        async with cleo.get(f"{home}/admin/login/discord", allow_redirects=False) as reply:
            asked = reply.headers["Location"]
        back = await decided(cleo, asked, stage.cleo.id)
        assert back.startswith(f"{home}/admin/login/callback?")
        assert await status(cleo, back) == 303
        quotas = f"{home}/admin/{stage.guild_id}/quotas"
        fields = {"whose": "guild", "minutes": "5", "period": "day"}
        form = {**fields, "csrf": await csrf_of(cleo, quotas)}
        async with cleo.post(
            quotas, data=form, headers={"Origin": "https://evil.example"}
        ) as reply:
            assert reply.status == 403
        async with cleo.post(quotas, data=form, headers={"Origin": home}) as reply:
            assert "The limit is set." in await reply.text()
        assert rows(bot, "SELECT actor_id, act FROM audit") == [(int(stage.cleo.id), "quota")]
