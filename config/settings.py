"""All settings of an installation: environment first, then `ascolto.toml`, then the defaults here."""

import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Publishing(StrEnum):
    """Whether replies really leave: `live`, or `dry_run`, which stops each one just before the network."""

    LIVE = "live"
    DRY_RUN = "dry_run"


class LogFormat(StrEnum):
    """`console` for people, `json` for machines."""

    CONSOLE = "console"
    JSON = "json"


class Settings(BaseSettings):
    """One installation's settings. Frozen; unknown names are refused."""

    model_config = SettingsConfigDict(env_prefix="ASCOLTO_", extra="forbid", frozen=True, env_ignore_empty=True)

    data_dir: Path = Field(default=Path("data"), description="Folder for the database file, keys and backups")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty means a SQLite file in data_dir")
    secret_keys: SecretStr = Field(
        default=SecretStr(""),
        description="Fernet keys, newest first, separated by commas; empty means the file secret.key in data_dir",
    )
    publishing: Publishing = Field(
        default=Publishing.DRY_RUN, description="live sends replies; dry_run stops before the network"
    )
    host: str = Field(default="127.0.0.1", description="Address the web server listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the web server listens on")
    base_url: str = Field(default="", description="Public address, if another than http://host:port")
    undo_seconds: int = Field(default=10, ge=0, le=120, description="How long a sent reply can be taken back")
    poll_seconds: int = Field(default=120, ge=5, description="Default interval between polls of a source")
    first_sync_days: int = Field(default=7, ge=1, description="How far back a source's first sync looks")
    first_sync_posts: int = Field(default=500, ge=1, description="How many posts a first sync stores at most")
    poll_pages: int = Field(default=20, ge=1, description="Pages one poll reads before it leaves the rest to the next")
    tag_batch: int = Field(default=256, ge=1, le=2048, description="Posts tagged at once")
    nlp_model: str = Field(
        default="",
        description="Model that reads posts, by name or as a folder; empty means the best in the package",
    )
    nlp_throughput: float = Field(
        default=0.0,
        ge=0,
        description="Posts a second to keep up with, by giving the model only those the n-grams are least sure of; "
        "0 means the model reads every post",
    )
    nlp_share: float = Field(
        default=1.0, ge=0, le=1, description="The most the model may read of a batch; 0 means the n-grams alone"
    )
    nlp_hub_models: str = Field(
        default="",
        description="Sequence-classification models of transformers that answer in their tasks, by hub name or folder, "
        "separated by commas; NAME@it reads Italian only. Needs torch",
    )
    nlp_hub_labels: str = Field(
        default="", description="JSON file that maps labels of hub models to ours, where their names do not tell"
    )
    nlp_hub_device: str = Field(default="auto", description="Where hub models run: auto, cpu, cuda or mps")
    network_timeout_seconds: float = Field(default=20.0, gt=0, description="Time-out of every call to a network")
    session_hours: int = Field(default=12, ge=1, description="Sign-in ends after this long without use")
    session_days: int = Field(default=30, ge=1, description="Sign-in ends after this long in any case")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: LogFormat = Field(default=LogFormat.CONSOLE, description="console or json")
    metrics_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token for /metrics; empty means loopback only"
    )

    @field_validator("log_level")
    @classmethod
    def known_level(cls, level: str) -> str:
        """Only the four levels people use."""
        if level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("log_level must be DEBUG, INFO, WARNING or ERROR")
        return level.upper()

    @property
    def resolved_database_url(self) -> str:
        """The database in use: the setting, or the SQLite file in data_dir."""
        return self.database_url or f"sqlite:///{self.data_dir / 'ascolto.sqlite3'}"

    @property
    def resolved_base_url(self) -> str:
        """The public address without a trailing slash."""
        return (self.base_url or f"http://{self.host}:{self.port}").rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic-settings' own
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the TOML file named by ASCOLTO_CONFIG or ./ascolto.toml."""
        path = Path(os.environ.get("ASCOLTO_CONFIG", "ascolto.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path)


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings once per process."""
    return Settings()
