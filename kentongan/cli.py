"""The porch: the command line. Every error is told in words: what, where, what to do."""
import asyncio
import errno
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from kentongan import settings as porch
from kentongan.commands import (
    agencies,
    areas,
    audit,
    callbacks,
    calls,
    figures,
    recordings,
    roster,
    setup,
    tickets,
    users,
)
from kentongan.commands.house import Json, show
from kentongan.guard import NO_USE, watch
from kentongan.rescue import Exchange
from kentongan.settings import Settings, SettingsError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Kentongan answers 112.", rich_markup_mode=None,
                  pretty_exceptions_enable=False)       # a fault's values could be anybody's; and a log is no screen
db_app = typer.Typer(no_args_is_help=True, help="The database.")
prompts_app = typer.Typer(no_args_is_help=True, help="What callers hear.")
asterisk_app = typer.Typer(no_args_is_help=True, help="The Asterisk of our own.")
for name, sub in (("db", db_app), ("prompts", prompts_app), ("asterisk", asterisk_app),
                  ("users", users.app), ("audit", audit.app), ("roster", roster.app),
                  ("agencies", agencies.app), ("areas", areas.app),
                  ("recordings", recordings.app), ("callbacks", callbacks.app),
                  ("calls", calls.app), ("tickets", tickets.app),
                  ("services", setup.services), ("categories", setup.categories), ("rules", setup.rules)):
    app.add_typer(sub, name=name)


def main() -> None:
    """The command `kentongan`."""
    try:
        app()
    except Exception as fault:              # the last door: a person reads it
        if not isinstance(fault, _told()):
            raise
        _fail(str(fault))


def _told() -> tuple[type[Exception], ...]:
    """Faults whose text tells a person what to do; all others keep their traceback."""
    from ivr.sound import SoundError
    from kentongan.ground import OtherVersion
    from kentongan.main import AlreadyRunningError
    from people import rules, service, store
    from recordings import review, review_store
    from routing import roster_edit, roster_rules
    from telephony.asterisk import AsteriskError
    from telephony.fetch import NoAsteriskError
    from tickets import edit, places, refused, steps
    from tickets import service as reports
    from tickets import store as tickets
    people = rules.Invalid, service.Refused, store.Unknown
    roster_told = roster_rules.Refused, roster_edit.Conflict, roster_edit.Unknown
    house = SettingsError, AsteriskError, NoAsteriskError, AlreadyRunningError, SoundError, OtherVersion
    heard = review.NotPlayable, review.BeyondTheEnd, review_store.Unknown
    report = tickets.Unknown, steps.IllegalStep, edit.Conflict, refused.Refused, places.Unreadable
    forwarded = reports.Incomplete, reports.NotForwardable
    return *house, *people, *roster_told, *heard, *report, *forwarded


def _fail(text: str, status: int = 1) -> None:
    print(text, file=sys.stderr)
    raise SystemExit(status)


@app.command()
def run() -> None:
    """Start the service to stay: the guard, and the service that it watches. Ctrl-C stops both; Asterisk stays."""
    settings = porch.load()
    exchange = Exchange(f"http://127.0.0.1:{settings.ari_port}/ari", settings.data / "secrets.toml",
                        settings.data / "rescued")
    raise SystemExit(watch([sys.executable, "-m", "kentongan.cli", "service"], exchange.rescue))


@app.command(hidden=True)
def service() -> None:
    """The service itself, without its guard."""
    from kentongan.main import AlreadyRunningError, serve
    from telephony.ari_operations import BadCredentials, Replaced
    from telephony.asterisk import AsteriskError
    _log_to_stderr()
    try:
        _in_loop(lambda settings: serve(settings, lambda line: print(line, flush=True)))
    except (SettingsError, AsteriskError, AlreadyRunningError, BadCredentials, Replaced) as fault:
        _fail(str(fault), NO_USE)
    except OSError as fault:            # a port that is taken stays taken; a full disk or too many files may pass
        _fail(str(fault), NO_USE if fault.errno == errno.EADDRINUSE else 1)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running.")] = False,
    day: Annotated[bool, typer.Option("--day", help="A hundred callers in minutes; its data stays.")] = False,
    callers: Annotated[int, typer.Option(min=1, max=900, help="How many on that day.")] = 100,
    seed: Annotated[int, typer.Option(help="Another day.")] = 112,
) -> None:
    """One caller dials 112; the whole story is told, with its proof."""
    from kentongan import day as whole_day
    from kentongan.demo import tell
    settings = porch.load()
    raise SystemExit(asyncio.run(whole_day.tell(settings, keep, callers, seed) if day else tell(settings, keep)))


app.command(name="figures")(figures.show)


@app.command()
def check() -> None:
    """The self-check: every trap of this host, and its mend."""
    from kentongan.selfcheck import findings
    found = findings(porch.load())
    for finding in found:
        print(finding)
    raise SystemExit(any(finding.bad for finding in found))


@app.command()
def phones(json_: Json = False) -> None:
    """Each operator's SIP user, password and registrar."""
    from kentongan import ground
    settings = porch.load()
    found = ground.phones(settings, asyncio.run(ground.find(settings)))
    show(found, json_)


@db_app.command()
def migrate() -> None:
    """Bring the database to this version's tables."""
    from kentongan.ground import lay
    asyncio.run(lay(porch.load()))
    print("the database has this version's tables")


@db_app.command()
def status() -> None:
    """Whether the database has this version's tables."""
    from db.engine import is_current
    current = is_current(porch.load().database_url)
    print("up to date" if current else "not up to date: kentongan db migrate")
    raise SystemExit(not current)


@prompts_app.command("build")
def build_prompts() -> None:
    """Build the prompts that are missing or have changed."""
    from ivr.build import build
    folder = porch.load().data / "prompts"
    built = build(folder, progress=lambda name: print(f"  {name}", flush=True))
    fresh, recorded = sum(one.fresh for one in built), sum(one.recorded for one in built)
    print(f"{len(built)} prompts in {folder}, {fresh} of them built now, {recorded} recorded by a human")


@asterisk_app.command()
def fetch() -> None:
    """Fetch an Asterisk that is new enough, unless one is here."""
    from telephony.fetch import fetch as bring
    from telephony.fetch import find
    settings = porch.load()
    found = find(settings.asterisk_root) or bring(settings.asterisk_root, lambda line: print(f"  {line}", flush=True))
    print(f"Asterisk {found.version} ({found.origin})")


@asterisk_app.command()
def start() -> None:
    """Start our own Asterisk; it stays."""
    from kentongan.ground import find
    settings = porch.load()
    asterisk = porch.own_asterisk(settings, asyncio.run(find(settings)).secrets)
    print("started" if asterisk.start() else "it runs already", f"(pid {asterisk.pid})")


@asterisk_app.command()
def stop() -> None:
    """Stop our own Asterisk, and every call with it."""
    print("stopped" if _asterisk().stop() else "it did not run")


@asterisk_app.command()
def ask(command: str) -> None:
    """What Asterisk's console answers to COMMAND."""
    print(_asterisk().ask(command), end="")


@asterisk_app.command()
def render(into: Path) -> None:
    """Write the configuration files for an Asterisk of your own into INTO/kentongan."""
    from kentongan.ground import find
    from telephony.asterisk import render as write
    write(_plan(find), into)
    print(f"written: {into}/kentongan/*.conf. Include extensions.conf, pjsip.conf, local-musiconhold.conf, cel.conf "
          "and local-cel_custom.conf.")


@asterisk_app.command()
def configure(root: Path) -> None:
    """Write a whole configuration into the data folder, for an Asterisk of ours in another container; the database gets
    this version's tables.

    ROOT is where that one lies over there: its modules in ROOT/modules, its data in ROOT/share.
    """
    from kentongan.ground import lay
    from telephony.asterisk import render_own
    print(f"written: {render_own(_plan(lay), root / 'modules', root / 'share')} and all that it needs")


def _plan(ground: Callable[[Settings], Any]) -> Any:
    settings = porch.load()
    return porch.plan(settings, asyncio.run(ground(settings)).secrets)


def _asterisk() -> Any:
    """To ask or to stop it, no password is needed; to start it, see `start`."""
    settings = porch.load()
    return porch.own_asterisk(settings, porch.secrets_of(settings, []))


def _in_loop(work: Callable[[Settings], Any]) -> None:
    import uvloop
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(porch.load()))


def _log_to_stderr() -> None:
    """One line per event, static messages and ids; JSON when nobody watches."""
    renderer: Any = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        processor=renderer,
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name,
                           structlog.processors.TimeStamper(fmt="iso"), structlog.processors.format_exc_info]))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


if __name__ == "__main__":
    main()
