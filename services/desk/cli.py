"""Commands about people and tokens: `ascolto user …`, `ascolto token …`."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import typer

from services.kit import cli
from services.kit.cli import Json, Quiet


class Perform(Protocol):
    """Has the running process do a command, or does it here when none runs."""

    def __call__(self, name: str, arguments: dict[str, Any], *, as_json: bool) -> Any:
        """What the command returns."""
        ...


def add_to(app: typer.Typer, perform: Perform) -> None:
    """Adds both groups of commands."""
    user_app = typer.Typer(no_args_is_help=True, help="People who sign in.")
    token_app = typer.Typer(no_args_is_help=True, help="Tokens of the API.")
    app.add_typer(user_app, name="user")
    app.add_typer(token_app, name="token")

    @user_app.command("create")
    def user_create(
        email: Annotated[str, typer.Option()],
        role: Annotated[
            list[str], typer.Option(help="agent, supervisor, reputation, operations, admin; may be repeated.")
        ],
        name: Annotated[str, typer.Option()] = "",
        brand: Annotated[list[str] | None, typer.Option(help="Brand ids the person is limited to.")] = None,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Creates a person with a random password, printed once."""
        made = perform(
            "user.create", {"email": email, "roles": role, "name": name, "brand_ids": brand or []}, as_json=as_json
        )
        cli.show(made, as_json=as_json, text=made["password"] if quiet else f"Password of {email}: {made['password']}")

    @user_app.command("list")
    def user_list(as_json: Json = False) -> None:
        """Lists people with their roles."""
        users = perform("user.list", {}, as_json=as_json)
        cli.show(
            users,
            as_json=as_json,
            text="\n".join(f"{one['id']}  {one['email']}  {', '.join(one['roles'])}  {one['state']}" for one in users),
        )

    @user_app.command("disable")
    def user_disable(email: str, as_json: Json = False) -> None:
        """Ends a person's access at once; their sessions and streams with it."""
        cli.show(
            perform("user.disable", {"email": email}, as_json=as_json),
            as_json=as_json,
            text=f"{email} can no longer sign in.",
        )

    @user_app.command("password")
    def user_password(email: str, quiet: Quiet = False, as_json: Json = False) -> None:
        """Gives a person a fresh random password, printed once."""
        made = perform("user.password", {"email": email}, as_json=as_json)
        cli.show(made, as_json=as_json, text=made["password"] if quiet else f"Password of {email}: {made['password']}")

    @user_app.command("factor-reset")
    def user_factor_reset(email: str, as_json: Json = False) -> None:
        """Removes a person's second factor, when telephone and recovery codes are lost; ends their sessions."""
        perform("user.factor_reset", {"email": email}, as_json=as_json)
        cli.show({"email": email}, as_json=as_json, text=f"{email} signs in with the password alone.")

    @token_app.command("create")
    def token_create(
        name: Annotated[str, typer.Option()],
        scope: Annotated[list[str], typer.Option(help="admin, contacts:write, tickets:read, …; one or more.")],
        more: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,  # of `--scope A B`
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Creates an API token; it is shown once."""
        made = perform("token.create", {"name": name, "scopes": [*scope, *(more or ())]}, as_json=as_json)
        cli.show(made, as_json=as_json, text=made["secret"] if quiet else f"Token {name}: {made['secret']}")

    @token_app.command("list")
    def token_list(as_json: Json = False) -> None:
        """Lists tokens with their scopes and last use."""
        tokens = perform("token.list", {}, as_json=as_json)
        cli.show(
            tokens,
            as_json=as_json,
            text="\n".join(f"{one['id']}  {one['name']}  {' '.join(one['scopes'])}" for one in tokens),
        )

    @token_app.command("revoke")
    def token_revoke(token_id: str, as_json: Json = False) -> None:
        """Ends a token."""
        cli.show(
            perform("token.revoke", {"token_id": token_id}, as_json=as_json),
            as_json=as_json,
            text=f"{token_id} no longer works.",
        )
