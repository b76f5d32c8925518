"""A bot and a worker that share nothing but PostgreSQL, a bucket and a key."""

import pytest

from bot.settings import Settings
from storage.bucket import Bucket, BucketConfig
from storage.files import place_of
from tests.bot.members import job_of
from tests.bot.pictures import photo
from tests.bot.stage import Stage, settings_for
from tests.bot.test_roles import KEYS, answering, at_work, kept_right
from tests.storage import test_bucket as bucket

server, config = bucket.server, bucket.config
PNG = b"\x89PNG"


def far_settings(stage: Stage, url: str, name: str, config: BucketConfig) -> Settings:
    """Return settings of a process on a host of its own."""
    (stage.folder / name).mkdir()
    return settings_for(
        stage.sandbox,
        stage.folder / name,
        database_url=url,
        keys=KEYS,
        files_url=config.address,
        files_endpoint=config.endpoint,
        files_key_id=config.key_id,
        files_secret=config.secret,
    )


@pytest.mark.slow
async def test_pictures_go_through_a_bucket_and_lie_there_encrypted(
    stage: Stage, fresh_postgres_url: str, config: BucketConfig
) -> None:
    of_bot, of_worker = (
        far_settings(stage, fresh_postgres_url, name, config) for name in ("bot", "worker")
    )
    image = photo()
    async with answering(of_bot) as bot, at_work(of_worker):
        await stage.ada.remix("night", image=await stage.ada.upload(image), seed=3)
        result = await stage.ada.result()
        await stage.ada.press(result, "Again")
        results = await stage.ada.results(2)
        await kept_right(bot)
        first, again = await bot.stores.jobs.several([job_of(it) for it in results])
        assert first.inputs == again.inputs
        shown = await stage.ada.picture(result)
        assert shown.startswith(PNG)
        sealed, raw = of_bot.files, Bucket(config)
        lying = set(await sealed.older_than(-60))
        referred = {file.sha256 for job in (first, again) for file in job.inputs.values()}
        assert lying == referred | {job.outputs[0].sha256 for job in (first, again)}
        for sha256 in lying:
            assert (await sealed.read(sha256)).startswith(PNG)
            assert PNG not in await raw.read(place_of(sha256))
        for message in results:
            await stage.ada.press(message, "Delete")
            await stage.ada.gone(message)
        await kept_right(bot)
        assert set(await sealed.older_than(-60)) == referred
    for folder in (of_bot.data_dir, of_worker.data_dir):
        assert not [path for path in folder.rglob("files/*") if path.is_file()]
