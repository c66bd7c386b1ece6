"""Ascolto in one command: every service, no server. Read this page first: it is the whole product, wired.

`wire` adds the services up; the commands below run them, or speak to the process that does. What is heavy is imported
where it is needed: all services are 3 s of a processor, and most commands and processes want few of them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from services.desk import cli as people_commands
from services.kit import cli, log
from services.kit.backends import SERVICES
from services.kit.cli import Json, Quiet
from services.kit.config import Settings
from services.kit.errors import AscoltoError, Invalid, Unavailable

if TYPE_CHECKING:
    from services.kit.application import Application
    from services.kit.control import Command

main_app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Customer care for online shops."
)


def wire(app: Application, *, apart: bool = False, only: Collection[str] = SERVICES) -> Application:
    """The services of this process, in the order in which they depend on one another; `apart`: search in a process of its own.

    `only`: those of them that are wanted.
    """
    for name in app.databases:
        if name in only:
            service = importlib.import_module(f"services.{name}.app")
            build = service.build_apart if apart and name == "search" else service.build
            app.add(build(app.parts(name)))
    return app


# What must be wired for a command when no process runs; the others need databases alone.
NEEDS: Mapping[str, Collection[str]] = {
    "init": ("intake",),
    "token.create": ("intake",),
    "token.revoke": ("intake",),
    "replay": SERVICES,
    "reindex": ("tickets", "social", "search"),
    "doctor": SERVICES,
}


def commands(app: Application) -> Mapping[str, Command]:
    """What the command line can ask of an application, running or not."""
    from services.desk import commands as desk
    from services.kit import backup as backups
    from services.kit import doctor as examination
    from services.kit import maintenance

    people = app.databases["desk"]
    return {
        "init": lambda args, _: _init(app, **args),
        "user.create": lambda args, _: {"email": args["email"], "password": desk.create_user(people, **args)},
        "user.list": lambda _args, _: [_user(one) for one in desk.list_users(people)],
        "user.disable": lambda args, _: _user(desk.disable_user(people, **args)),
        "user.password": lambda args, _: {"password": desk.reset_password(people, **args)},
        "user.factor_reset": lambda args, _: desk.reset_factor(people, **args),
        "token.create": lambda args, _: _token_create(app, **args),
        "token.list": lambda _args, _: [_token(one) for one in desk.list_tokens(people)],
        "token.revoke": lambda args, _: _token_revoke(app, **args),
        "replay": lambda args, progress: maintenance.replay(app, progress, **args),
        "reindex": lambda _args, progress: maintenance.reindex(app, progress),
        "backup": lambda args, progress: backups.backup(app, progress, **args),
        "migrate": lambda _args, _: dict.fromkeys(app.databases, "up to date"),
        "doctor": lambda _args, _: examination.look(app),
    }


def _init(app: Application, *, brand: str, email: str, admin: str) -> dict[str, Any]:
    from ascolto.intake.v1.service_pb2 import EnsureBrandRequest
    from ascolto.intake.v1.service_pb2_grpc import IntakeStub
    from services.desk import commands as desk
    from services.kit.rpc import Caller
    from services.social.app import ensure_watch

    caller = Caller(service="cli", keys=app.keys, clock=app.clock)
    wanted = EnsureBrandRequest(name=brand, email=email)
    made = caller.invoke(IntakeStub(app.channels["intake"]).EnsureBrand, wanted, timeout_s=20)
    ensure_watch(app.parts("social"), brand_id=made.brand.id, brand=brand)
    password = desk.first_user(app.databases["desk"], email=admin or email)
    accounts = dict(made.accounts)
    return {
        "brand": made.brand.id,
        "slug": made.brand.slug,
        "accounts": accounts,
        "user": (admin or email) if password else None,
        "password": password,
    }


def _token_create(app: Application, *, name: str, scopes: list[str]) -> dict[str, Any]:
    from services.desk import commands as desk

    secret = desk.create_token(app.databases["desk"], name=name, scopes=scopes)
    desk.push_keys(app.parts("desk"))  # it opens the hooks when it is shown, not a moment later
    return {"secret": secret}


def _token_revoke(app: Application, *, token_id: str) -> None:
    from services.desk import commands as desk

    desk.revoke_token(app.databases["desk"], token_id=token_id)
    desk.push_keys(app.parts("desk"))


def _user(one: Any) -> dict[str, Any]:
    state = "disabled" if one.disabled else "active"
    return {"id": one.id, "email": one.email, "name": one.name, "roles": sorted(one.roles), "state": state}


def _token(one: Any) -> dict[str, Any]:
    used = one.last_used_at.isoformat() if one.last_used_at else None
    return {"id": one.id, "name": one.name, "scopes": sorted(one.scopes), "last_used_at": used}


def _perform(name: str, arguments: Mapping[str, Any], *, as_json: bool) -> Any:
    settings = _settings()

    def here(given: Mapping[str, Any], progress: Any) -> Any:
        from services.kit.application import Application

        with Application(settings) as app:
            app.migrate()
            return commands(wire(app, only=NEEDS.get(name, ())))[name](given, progress)

    return cli.perform(settings.data.absolute(), name, arguments, here, as_json=as_json)


people_commands.add_to(main_app, _perform)


def _doctor(*, as_json: bool) -> Any:
    from services.kit import doctor as examination

    try:
        data = _settings().data.absolute()
    except Invalid:
        return examination.examine(os.environ)  # which says it as a finding
    return cli.perform(data, "doctor", {}, lambda _given, _progress: examination.examine(os.environ), as_json=as_json)


def _mark(one: Mapping[str, Any]) -> str:
    return "BAD " if not one["ok"] else "warn" if one["warning"] else "ok  "


def _settings(*, quiet: bool = False) -> Settings:
    settings = Settings.from_env(os.environ)
    level = "warning" if quiet and "ASCOLTO_LOG_LEVEL" not in os.environ else settings.log_level
    log.set_up(form=settings.log, level=level)
    return settings


@main_app.command()
def run(
    services: Annotated[list[str] | None, typer.Argument(help="Names of services; none: all of them.")] = None,
) -> None:
    """Runs services until SIGTERM or SIGINT; without names all of them, migrated first."""
    from services.kit import runner
    from services.kit.application import Application

    for name in services or ():
        if name not in SERVICES:
            raise Invalid(f"There is no service {name}; the services are {', '.join(SERVICES)}.")
    settings, every = _settings(), not services or set(services) == set(SERVICES)
    with Application(settings, services=services or SERVICES) as app:
        stop = runner.heed_signals()
        app.watch()
        if app.await_servers(stop, migrated=not every):
            if every:
                app.migrate()
            wire(app, apart=every).start(commands(app) if every else None)
            print(f"Ascolto answers at {settings.public_url or f'http://{app.http_address}'}", flush=True)
            stop.wait()


@main_app.command()
def demo(
    check: Annotated[bool, typer.Option("--check", help="Drive the golden journey and exit.")] = False,
    kill: Annotated[
        bool, typer.Option("--kill", help="With --check: kill the process in the middle and go on.")
    ] = False,
) -> None:
    """Starts a simulated shop's day; `--check` drives the golden journey through the real edges and exits non-zero on a failure."""
    from services.demo import check as demo_check
    from services.demo import day

    if check:
        raise typer.Exit(demo_check.run(kill=kill, wire=wire))
    day.run(_settings(quiet=True), wire=partial(wire, apart=True), commands=commands)


@main_app.command()
def init(
    brand: Annotated[str, typer.Option(help="Name of the shop.")],
    email: Annotated[str, typer.Option(help="Address customers write to.")],
    admin: Annotated[str, typer.Option(help="Address of the administrator; default: the shop's.")] = "",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Makes a working shop: schema, brand, accounts, hours, and the first time an administrator. Repeatable."""
    made = _perform("init", {"brand": brand, "email": email, "admin": admin}, as_json=as_json)
    if quiet and not as_json:
        if made["password"]:
            cli.show(made, as_json=False, text=made["password"])
        return
    password = (
        f"Password of {made['user']}: {made['password']}" if made["password"] else "Its people are already there."
    )
    accounts = "\n".join(f"  {channel}: {account}" for channel, account in made["accounts"].items())
    cli.show(made, as_json=as_json, text=f"Brand {brand}: {made['brand']}\n{accounts}\n{password}")


@main_app.command()
def migrate(as_json: Json = False) -> None:
    """Brings the databases' schema up to date; safe to repeat."""
    cli.show(_perform("migrate", {}, as_json=as_json), as_json=as_json, text="All databases are up to date.")


@main_app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Dead letters; none with --all.")] = None,
    everything: Annotated[bool, typer.Option("--all")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Only list what is parked.")] = False,
    confirm_replies: Annotated[bool, typer.Option(help="Allow replaying answers to customers.")] = False,
    as_json: Json = False,
) -> None:
    """Lists what consumers could not handle, or replays what is named."""
    listing = listing or not (ids or everything)
    arguments = {"ids": ids or [], "everything": everything, "listing": listing, "confirmed": confirm_replies}
    found = _perform("replay", arguments, as_json=as_json)
    cli.show(
        found,
        as_json=as_json,
        text="\n".join("  ".join(str(value) for value in one.values()) for one in found) or "Nothing is parked.",
    )


@main_app.command()
def reindex(as_json: Json = False) -> None:
    """Builds the search index anew beside the live one, then switches."""
    done = _perform("reindex", {}, as_json=as_json)
    cli.show(done, as_json=as_json, text=f"{done['documents']} documents are in the new index.")


@main_app.command()
def backup(target: str, as_json: Json = False) -> None:
    """Writes databases, blobs and keys to one file, while the process runs."""
    done = _perform("backup", {"target": os.path.abspath(target)}, as_json=as_json)  # noqa: PTH100 (the running process has another folder)
    cli.show(done, as_json=as_json, text=f"{done['files']} files, {done['size_bytes']} bytes in {target}.")


@main_app.command()
def restore(source: str, as_json: Json = False) -> None:
    """Fills an empty installation from a backup; what it was about to send waits for a person's decision."""
    from services.intake.app import doubt_unsent
    from services.kit import backup as backups
    from services.kit.application import Application
    from services.kit.drain import drain
    from services.search.app import pass_over

    settings = _settings()
    done = backups.restore(settings, source)
    with Application(settings) as app, cli.bar(as_json=as_json) as progress:
        app.migrate()
        wire(app)
        pass_over(app.databases["search"], app.bus, app.clock)
        drain(app, lambda said: progress(0.5, said))
        done["held"] = doubt_unsent(app.databases["intake"], app.clock)
    text = f"{done['files']} files restored, {done['held']} deliveries held. The index is rebuilt at the next start."
    cli.show(done, as_json=as_json, text=text)


@main_app.command()
def move(
    to: Annotated[
        str, typer.Option(help="File of the new installation's settings, a line ASCOLTO_NAME=value each.")
    ] = "",
    confirmed: Annotated[bool, typer.Option("--confirm", help="Close the old installation for good.")] = False,
    as_json: Json = False,
) -> None:
    """Carries this stopped embedded installation to PostgreSQL, Kafka, Elasticsearch and S3; goes on where it was killed."""
    from services.kit import maintenance
    from services.kit import move as moving
    from services.kit.application import Application

    if confirmed == bool(to):
        raise Invalid("Say either --to FILE, or --confirm once the new installation was looked at.")
    settings, target = _settings(quiet=True), None if confirmed else moving.target_settings(Path(to))
    with Application(settings) as app:
        app.migrate()
        if target is None:
            done = moving.confirm(wire(app))
            text = f"{settings.data} is closed: the installation goes on at {done['to']['database']}."
        else:
            with cli.bar(as_json=as_json) as progress:
                done = moving.move(
                    wire(app), target, progress, lambda there, told: maintenance.reindex(wire(there), told)
                )
            text = moving.told(done)
    cli.show(done, as_json=as_json, text=text)


@main_app.command()
def doctor(as_json: Json = False) -> None:
    """Looks for what is wrong and says how to mend it; exits with 1 when something is."""
    found = _doctor(as_json=as_json)
    cli.show(
        found,
        as_json=as_json,
        text="\n".join(f"{_mark(one)} {one['name']}: {one['detail']}" for one in found),
    )
    if not all(one["ok"] for one in found):
        raise typer.Exit(1)


def main() -> int:
    """Runs the command line; an error of ours is one line and an exit code."""
    try:
        code = main_app(standalone_mode=False)  # what `typer.Exit` says comes back as the value
    except AscoltoError as error:
        return cli.fail(error, as_json="--json" in sys.argv)
    except typer.Exit as end:
        return end.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return cli.fail(Unavailable("Stopped."), as_json=False)
    except TyperException as error:
        return cli.fail(Invalid(str(error)), as_json="--json" in sys.argv)
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
