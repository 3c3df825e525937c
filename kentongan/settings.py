"""The porch: settings of this host. One TOML file in the data folder, overridden by KENTONGAN_… of the environment;
and the secrets, made at first start and kept where only their owner can read them."""
import base64
import fcntl
import os
import secrets
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from telephony.asterisk import Asterisk, AsteriskError, Plan, write_private
from telephony.fetch import find

CHECKOUT = Path(__file__).parents[1]


class SettingsError(Exception):
    """A setting that cannot be used; the text says which, where and why."""


class Settings(BaseSettings):
    """What differs from host to host. Ports are on `host`; the trunk's is UDP."""

    model_config = SettingsConfigDict(env_prefix="KENTONGAN_", extra="forbid")

    data: Path = CHECKOUT / "var"
    host: str = "127.0.0.1"
    sip_port: int = Field(5060, ge=1, le=65535)
    http_port: int = Field(8112, ge=1, le=65535)
    ari_port: int = Field(8113, ge=1, le=65535)
    ami_port: int = Field(8114, ge=1, le=65535)
    agi_port: int = Field(8115, ge=1, le=65535)
    rtp_start: int = Field(10000, ge=1024, le=65535)
    rtp_end: int = Field(10999, ge=1024, le=65535)
    database_url: str = ""                      #: empty: SQLite in the data folder
    asterisk_root: Path = CHECKOUT / "var/asterisk-root"    #: where a fetched Asterisk lies
    start_asterisk: bool = True                 #: false: one of the administrator's is there
    trunks: list[str] = ["127.0.0.1"]           #: addresses that may send 112 calls
    node: str = Field("kentongan", pattern="^[a-z0-9-]+$")  #: this instance's name, in the journal and towards Asterisk
    language: str = Field("id", pattern="^(id|en)$")
    timezone: str = "Asia/Jakarta"              #: of the roster
    public_url: str = ""                        #: how agencies reach our doors; empty: http://host:http_port
    claim_within: float = Field(0.8, gt=0, le=5)        #: seconds; then the way out takes the call
    offer_for: float = Field(15.0, gt=0, le=120)        #: seconds that a desk's phone rings
    ring_within: float = Field(2.0, gt=0, le=30)        #: seconds after which a phone that does not ring is passed over
    wrap_up_for: float = Field(30.0, ge=0, le=600)      #: seconds
    widen_after: float = Field(15.0, ge=0, le=600)      #: seconds; then any operator is rung, whatever their skills
    tell_place_every: float = Field(30.0, ge=5, le=600)     #: seconds
    deserted_for: float = Field(20.0, ge=1, le=600)     #: seconds without anybody to ring; then the way out
    silent_for: float = Field(8.0, ge=1, le=120)        #: seconds without voice or key; then who waits is asked
    answer_for: float = Field(4.0, ge=1, le=30)         #: seconds for the answer, after each of two questions
    similar_within_m: float = Field(500.0, ge=0, le=50_000)     #: metres between two reports of one event, at most
    similar_within_min: float = Field(60.0, ge=0, le=1440)      #: minutes between two reports of one event, at most

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get("KENTONGAN_DATA", CHECKOUT / "var")) / "kentongan.toml"
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    def model_post_init(self, context: Any) -> None:
        self.data = self.data.resolve()
        self.database_url = self.database_url or f"sqlite:///{self.data}/kentongan.db"
        self.public_url = self.public_url or f"http://{self.host}:{self.http_port}"


def load(**overrides: Any) -> Settings:
    """The settings in force. Raises SettingsError, in words for a person."""
    try:
        return Settings(**overrides)
    except ValidationError as wrong:
        lines = [f"  {'.'.join(map(str, fault['loc']))} = {fault.get('input')!r}: {fault['msg']}"
                 for fault in wrong.errors()]
        raise SettingsError("These settings cannot be used (kentongan.toml in the data folder, or KENTONGAN_… in the "
                            "environment):\n" + "\n".join(lines)) from None
    except tomllib.TOMLDecodeError as wrong:
        raise SettingsError(f"kentongan.toml in the data folder cannot be read: {wrong}") from None


class Secrets(msgspec.Struct):
    """Passwords of this host; none of them is ever in a configuration that is committed."""

    ari: str
    ami: str
    links: str                  #: signs agencies' one-time links
    api: str                    #: bearer token of the command line and other programs on this host
    phones: dict[str, str]      #: by operator


def secrets_of(settings: Settings, operators: list[str]) -> Secrets:
    """The host's secrets; made at first start, and a password added for every new operator. Mode 0600. Raises
    SettingsError."""
    path = settings.data / "secrets.toml"
    settings.data.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # two commands at once would make two passwords for one phone
        known = _read(path)
        kept = {name: known.get(name) or _new() for name in ("ari", "ami", "links", "api")}
        phones = _flat(known.get("phones", {}))
        phones |= {name: _new() for name in operators if name not in phones}
        if known != {**kept, "phones": phones}:
            lines = ["# Made by Kentongan at first start. Whoever has this file can act as this service."]
            lines += [f'{name} = "{value}"' for name, value in kept.items()]
            lines += ["", "[phones]", *(f'"{name}" = "{value}"' for name, value in sorted(phones.items()))]
            write_private(path, "\n".join(lines) + "\n")
    return Secrets(**kept, phones={name: phones[name] for name in operators})      # who has left can log in no more


def _read(path: Path) -> dict[str, Any]:
    """What stands in the file; nothing, if there is none. Raises SettingsError."""
    try:
        return tomllib.loads(path.read_text()) if path.exists() else {}
    except tomllib.TOMLDecodeError as wrong:
        raise SettingsError(
            f"{path} cannot be read: {wrong}. Each line under [phones] is a name in quotes and its password, "
            'such as "op01" = "…": remove the line that is not (that phone gets a new password: kentongan phones)'
        ) from None


def _flat(phones: dict[str, Any]) -> dict[str, str]:
    """Passwords by operator. A name with a dot that stands there without quotes is read as a table in a table."""
    parts = [{f"{name}.{rest}": password for rest, password in _flat(value).items()} if isinstance(value, dict)
             else {name: value} for name, value in phones.items()]
    return {name: password for part in parts for name, password in part.items()}


def _new() -> str:
    """A password of 192 bits in letters that no configuration file misreads."""
    return base64.b32encode(secrets.token_bytes(24)).decode().rstrip("=").lower()


def plan(settings: Settings, secrets: Secrets) -> Plan:
    """What Asterisk's configuration needs of the settings."""
    return Plan(
        data=settings.data, host=settings.host, sip_port=settings.sip_port, ari_port=settings.ari_port,
        ami_port=settings.ami_port, agi_port=settings.agi_port, rtp_start=settings.rtp_start, rtp_end=settings.rtp_end,
        trunks=settings.trunks, claim_for_ms=round(settings.claim_within * 1000), claim_by=f"^{settings.node}",
        language=settings.language, ari_user="kentongan", ari_password=secrets.ari, ami_user="kentongan",
        ami_password=secrets.ami, phones=secrets.phones)


def own_asterisk(settings: Settings, secrets: Secrets) -> Asterisk:
    """The Asterisk of this data folder, running or not. Raises AsteriskError if no program is here to run it."""
    if (found := find(settings.asterisk_root)) is None:
        raise AsteriskError("No Asterisk of version 22.10.1 or newer is here. Fetch one: kentongan asterisk fetch")
    return Asterisk(plan(settings, secrets), found)
