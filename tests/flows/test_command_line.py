"""The command line as scripts use it, with and without a running process."""

from __future__ import annotations

import json
from pathlib import Path

from services.demo.process import Product
from tests.faults.installation import Installation
from tests.kitlib import wait_until


def test_a_shop_is_made_without_clicking_and_again_without_harm(tmp_path: Path) -> None:
    product = Product(tmp_path, "127.0.0.1:0", "127.0.0.1:0", "", {"ASCOLTO_MODELS": "0"})
    shop = ("init", "--brand", "Lumaca", "--email", "care@lumaca.example")

    password = product.command(*shop, "--quiet")
    made = json.loads(product.command(*shop, "--json"))

    assert len(password.split()) == 1
    assert set(made["accounts"]) == {"email", "webform", "chat", "api"}
    assert (made["user"], made["password"]) == (None, None)


def test_tokens_are_made_listed_and_revoked_beside_a_running_process(running: Installation) -> None:
    command = running.product.command

    secret = command("token", "create", "--name", "shop", "--scope", "tickets:read", "search:read", "--quiet").strip()

    headers = {"Authorization": f"Bearer {secret}"}
    url = f"{running.product.url}/api/v1/tickets"
    assert running.api.client.get(url, headers=headers).status_code == 200
    (token,) = [one for one in json.loads(command("token", "list", "--json")) if one["name"] == "shop"]
    assert token["scopes"] == ["search:read", "tickets:read"]
    assert token["last_used_at"]
    command("token", "revoke", token["id"])
    wait_until(lambda: running.api.client.get(url, headers=headers).status_code == 401)  # a token is believed for 2 s
