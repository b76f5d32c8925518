"""The settings: the only reader of the environment.

Every field is a variable with the prefix ``ATELIER_``; the bot's token alone is called
``DISCORD_TOKEN``, as everywhere else. A file ``.env`` in the working folder is read too.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from generation.classifiers import SafetyConfig
from generation.device_memory import host_memory
from generation.executor.cluster.config import ClusterConfig
from generation.pipelines.base import Dtype, EngineConfig
from generation.registry import PIPELINES, PipelineSpec, offered
from generation.request import MAX_BATCH_ROWS
from storage.bucket import Bucket, BucketConfig
from storage.database import sqlite_path
from storage.errors import KeyInvalidError
from storage.files import FileStore
from storage.ledger import Scope
from storage.room import Room
from storage.sealing import KeyRing, Seals, kept_key
from storage.tables import MAX_RETENTION_DAYS
from storage.windows import Period

MEBIBYTE = 1024 * 1024
TEMPLATE_NEEDS = 4000 * MEBIBYTE
_WINDOW = r"\s*(guild|total)/(hour|month)=\d{1,9}(\.\d+)?\s*"
"""Bytes of memory from which on it is the default: what is left of 4 GB."""


class Settings(BaseSettings):
    """What an installation can choose."""

    model_config = SettingsConfigDict(
        env_prefix="ATELIER_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    discord_token: SecretStr | None = Field(
        default=None,
        validation_alias="DISCORD_TOKEN",
        description="the bot's token from the developer portal; without it the demo starts",
    )
    data_dir: Path = Field(
        default=Path("data"), description="folder of the database and of all pictures"
    )
    models_dir: Path | None = Field(
        default=None, description="folder of your own checkpoints; `models` in the data folder"
    )
    presets_file: Path | None = Field(
        default=None, description="your own presets of /remix; `presets.json` in the data folder"
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy address of the database; SQLite in the data folder",
        repr=False,
    )
    files_url: str | None = Field(
        default=None,
        pattern=r"^s3://\S+$",
        description="s3://bucket/folder of the pictures; `files` in the data folder",
    )
    files_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="address of that S3-compatible store; AWS",
    )
    files_region: str = Field(default="us-east-1", description="its region")
    files_key_id: str | None = Field(default=None, description="id of the key it asks for")
    files_secret: SecretStr | None = Field(default=None, description="that key's secret")
    safety_policy: Literal["off", "spoiler", "block"] = Field(
        default="off",
        description="unsafe pictures where no admin chose, and in DMs: off, spoiler or block",
    )
    safety_model: Path | None = Field(
        default=None, description="folder of the classifier that looks at finished pictures"
    )
    safety_labels: str = Field(
        default="nsfw", description="its labels of unsafe pictures, with commas between"
    )
    safety_threshold: float = Field(
        default=0.5, gt=0, le=1, description="score from which a picture is unsafe, up to 1"
    )
    remix_model: str = Field(
        default=PIPELINES["remix"].model,
        min_length=1,
        description="checkpoint of /remix: a folder of yours, or the starter",
    )
    quota_device_s: float = Field(
        default=600.0,
        gt=0,
        le=10**9,
        description="device seconds a day for every member, where no admin says otherwise",
    )
    quota_guild_device_s: float | None = Field(
        default=None,
        gt=0,
        le=10**9,
        description="device seconds a day for all of a server together, whatever its admins set",
    )
    quota_total_device_s: float | None = Field(
        default=None,
        gt=0,
        le=10**9,
        description="device seconds a day for everybody together",
    )
    quota_windows: str = Field(
        default="",
        pattern=rf"^\s*({_WINDOW}(,{_WINDOW})*)?$",
        description="further device seconds of a server and of everybody:"
        " `guild/month=36000, total/hour=600`",
    )
    quota_skus: str = Field(
        default="",
        pattern=r"^\s*(\d{1,20}=\d{1,9}(\.\d+)?\s*(,\s*\d{1,20}=\d{1,9}(\.\d+)?\s*)*)?$",
        description="device seconds a day of those who bought: SKU=SECONDS, with commas between",
    )
    priority_skus: str = Field(
        default="",
        pattern=r"^\s*(\d{1,20}=[1-9]\d?(\.\d+)?\s*(,\s*\d{1,20}=[1-9]\d?(\.\d+)?\s*)*)?$",
        description="usual shares of the engines of those who bought: SKU=SHARES, likewise",
    )
    hour_price: float | None = Field(
        default=None,
        ge=0,
        le=10**6,
        description="what an hour of the device costs you; reports then tell what was spent",
    )
    currency: str = Field(
        default="USD", min_length=1, max_length=8, description="the currency of that price"
    )
    retention_days: int = Field(
        default=30,
        ge=1,
        le=MAX_RETENTION_DAYS,
        description="days after which prompts and pictures are removed; servers may choose fewer",
    )
    keys: SecretStr | None = Field(
        default=None,
        description="keys that prompts and pictures are encrypted with, the newest first; off",
    )
    least_free_bytes: int = Field(
        default=500_000_000,
        ge=0,
        description="bytes that stay free on the disks; with less no job is accepted",
    )
    max_side: int = Field(
        default=1024, ge=64, le=4096, description="longest side of a picture in pixels"
    )
    max_pictures: int = Field(
        default=4, ge=1, le=10, description="pictures that one command may ask for at once"
    )
    max_upload_bytes: int = Field(
        default=25 * MEBIBYTE, ge=1024, description="largest upload that is read, in bytes"
    )
    download_stall_s: float = Field(
        default=8.0, gt=0, description="silence after which a download is tried again"
    )
    download_total_s: float = Field(
        default=40.0, gt=0, description="longest time that one download may take"
    )
    max_wait_s: float = Field(
        default=3600.0, gt=0, description="estimated wait above which a job is refused"
    )
    device: str = Field(
        default="auto",
        pattern=r"^[a-z]+(:\d+)?(,[a-z]+(:\d+)?)*$",
        description="torch devices, an engine on each: auto, cpu, cuda or cuda:0,cuda:1",
    )
    dtype: Dtype = Field(
        default="auto",
        description="numbers that networks calculate in: auto, float32, float16 or bfloat16",
    )
    threads: int = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 2) // 2),
        ge=1,
        description="threads of the engine on a CPU; half of the cores",
    )
    exact: bool = Field(
        default=True,
        description="whether bytes never depend on who shares a call; false is faster",
    )
    batch_rows: int | None = Field(
        default=None,
        ge=1,
        le=MAX_BATCH_ROWS,
        description="rows of one call of a model; measured on a GPU, one request's on a CPU",
    )
    vae_rows: int | None = Field(
        default=None,
        ge=1,
        le=MAX_BATCH_ROWS,
        description="pictures of one call of a model's codec; measured on a GPU, 1 on a CPU",
    )
    engine_template: bool = Field(
        default_factory=lambda: host_memory() >= TEMPLATE_NEEDS,
        description="whether dead engines are replaced by forks, at once; takes 0.5 GB",
    )
    device_model_bytes: int | None = Field(
        default=None,
        ge=0,
        description="bytes of models on a device; 3/4 of a GPU's free ones, half of the memory",
    )
    device_memory_bytes: int | None = Field(
        default=None,
        ge=0,
        description="bytes of a device that one model may take, work included; 9/10 of the free",
    )
    host_model_bytes: int | None = Field(
        default=None,
        ge=0,
        description="bytes of models that wait beside the GPUs; half of the memory",
    )
    cluster_address: str | None = Field(
        default=None,
        pattern=r"^\S+:\d+$",
        description="host:port of a Ray cluster's head; the engines run on its nodes",
    )
    parallel_jobs: int | None = Field(
        default=None,
        ge=1,
        description="jobs handed to the engines at the same time; as many as share their calls",
    )
    lease_s: float = Field(
        default=20.0, gt=0, description="seconds after which a dead bot's job is taken up again"
    )
    retry_s: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="rest before a second attempt at what may pass; four times that before a third",
    )
    deadline_s: float = Field(
        default=6 * 3600.0,
        gt=0,
        description="seconds after which a job that nobody has made is ended and refunded",
    )
    progress_interval_s: float = Field(
        default=2.0, ge=0, description="shortest time between two edits of a message"
    )
    worker_previews: bool = Field(
        default=True,
        description="whether members see pictures form that a worker makes, through the database",
    )
    redelivery_s: float = Field(
        default=30.0, gt=0, description="how often what could not be delivered is tried again"
    )
    shutdown_s: float = Field(
        default=15.0, ge=0, le=25, description="grace of running jobs when the bot is stopped"
    )
    web_host: str = Field(
        default="127.0.0.1", description="address of /healthz, /readyz, /metrics and /admin"
    )
    web_port: int = Field(default=8081, ge=0, le=65535, description="their port; 0 for a free one")
    web_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#@]+$",
        description="https://HOST of the admin page for others, as a reverse proxy serves it",
    )
    web_client_secret: SecretStr | None = Field(
        default=None,
        description="the application's client secret; with it admins log in to /admin by Discord",
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="console for people, json for machines"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="what is worth a line in the log"
    )
    sandbox_address: str | None = Field(
        default=None, description="host:port of a sandbox that stands in for Discord"
    )
    sandbox_certificate: Path | None = Field(
        default=None, description="the certificate of that sandbox"
    )

    @field_validator("discord_token")
    @classmethod
    def _blank_is_none(cls, token: SecretStr | None) -> SecretStr | None:
        """Take a blank token for none, as in a fresh copy of .env.example."""
        if token is None or not token.get_secret_value().strip():
            return None
        return SecretStr(token.get_secret_value().strip())

    @field_validator("keys")
    @classmethod
    def _all_are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        """Make sure that keys are some, without saying them."""
        try:
            KeyRing(_listed_keys(keys))
        except KeyInvalidError as err:
            raise ValueError(str(err)) from err
        return keys

    @property
    def models_folder(self) -> Path:
        """The folder of the operator's checkpoints."""
        return self.models_dir or self.data_dir / "models"

    @property
    def own_presets(self) -> Path:
        """The file of the operator's presets."""
        return self.presets_file or self.data_dir / "presets.json"

    @property
    def pipelines(self) -> dict[str, PipelineSpec]:
        """The pipelines whose weights are there, with the checkpoints that were chosen here."""
        found = offered(models_dir=self.models_folder)
        return found | {"remix": replace(found["remix"], model=self.remix_model)}

    @property
    def safety(self) -> SafetyConfig:
        """What pictures are looked at with."""
        labels = (label.strip() for label in self.safety_labels.split(","))
        return SafetyConfig(
            folder=self.safety_model,
            labels=tuple(filter(None, labels)),
            threshold=self.safety_threshold,
        )

    @property
    def windows_ms(self) -> dict[tuple[Scope, Period], int]:
        """What a guild and everybody may use in windows other than a day."""
        pairs = (pair.split("=") for pair in self.quota_windows.split(",") if pair.strip())
        scopes = {"guild": Scope.SHARE, "total": Scope.GLOBAL}
        found = {}
        for name, seconds in pairs:
            whose, _, period = name.strip().partition("/")
            found[scopes[whose], Period(period)] = round(float(seconds) * 1000)
        return found

    @property
    def raised_ms(self) -> dict[int, int]:
        """What those who bought something may use in a day, by its SKU."""
        bought = _by_sku(self.quota_skus)
        return {sku: round(seconds * 1000) for sku, seconds in bought.items()}

    @property
    def bought_weights(self) -> dict[int, float]:
        """How many usual shares of the engines those have who bought something, by its SKU."""
        return _by_sku(self.priority_skus)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that have an engine."""
        return tuple(self.device.split(","))

    @property
    def cluster(self) -> ClusterConfig | None:
        """The cluster that has the engines, if there is one."""
        return ClusterConfig(address=self.cluster_address) if self.cluster_address else None

    @property
    def engine(self) -> EngineConfig:
        """How an engine on the first device is set up."""
        return EngineConfig(
            device=self.devices[0],
            dtype=self.dtype,
            threads=self.threads,
            models_dir=self.models_folder,
            exact=self.exact,
            batch_rows=self.batch_rows,
            vae_rows=self.vae_rows,
            profiles=self.data_dir / "profiles.json",
            memory_bytes=self.device_memory_bytes,
            plans=self.data_dir / "plans.json",
            device_bytes=self.device_model_bytes,
            host_bytes=self.host_model_bytes,
        )

    @property
    def files_folder(self) -> Path:
        """The folder of all stored pictures."""
        return self.data_dir / "files"

    @property
    def files(self) -> FileStore:
        """Where all stored pictures are.

        Raises:
            FilesAddressError: the address names no bucket, or the library for it is missing.
        """
        if self.files_url is None:
            return FileStore(self.files_folder, ring=self.ring)
        bucket = BucketConfig(
            address=self.files_url,
            endpoint=self.files_endpoint,
            region=self.files_region,
            key_id=self.files_key_id,
            secret=self.files_secret.get_secret_value() if self.files_secret else None,
        )
        return FileStore(Bucket(bucket), ring=self.ring)

    @property
    def ring(self) -> KeyRing:
        """The keys that prompts and pictures are encrypted with, if any are set."""
        return KeyRing(self.listed_keys)

    @property
    def listed_keys(self) -> list[str]:
        """The keys, the newest first."""
        return _listed_keys(self.keys)

    def seals(self) -> Seals:
        """Return all keys; one for tokens is kept in the data folder where none is set.

        It reads and may make that file, so it belongs into a thread.

        Raises:
            OSError: the file can be neither read nor made.
        """
        kept = kept_key(self.data_dir / "token.key")
        return Seals(contents=self.ring, tokens=KeyRing([*self.listed_keys, kept]))

    @property
    def room(self) -> Room:
        """What has to stay free where pictures and the database are written."""
        path = sqlite_path(self.database)
        folders = [self.files_folder, *([path.parent] if path is not None else [])]
        return Room(folders, least_bytes=self.least_free_bytes)

    @property
    def database(self) -> str:
        """The database's SQLAlchemy address."""
        if self.database_url:
            return self.database_url
        return f"sqlite:///{(self.data_dir / 'atelier.sqlite3').resolve()}"


def _by_sku(told: str) -> dict[int, float]:
    pairs = (pair.split("=") for pair in told.split(",") if pair.strip())
    return {int(sku): float(amount) for sku, amount in pairs}


def _listed_keys(keys: SecretStr | None) -> list[str]:
    told = keys.get_secret_value() if keys is not None else ""
    return [key.strip() for key in told.split(",") if key.strip()]
