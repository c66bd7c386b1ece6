"""X, sending only: a public answer to a post. Reading is listening's part; direct messages come later."""

from __future__ import annotations

from collections.abc import Sequence

from services.intake import x as gateway
from services.intake.domain.channel import Account, Capabilities, Outbound, Receipt, SettingField, Step
from services.intake.domain.contact import Inbound, RawContact, Threading
from services.intake.ports import NotSent, Tools, Unparsable
from services.kit.errors import AscoltoError

MAX_WEIGHT = 280


class XChannel:
    """See the module."""

    id = "x"
    capabilities = Capabilities(
        threading=Threading.CONVERSATION,
        public=True,
        max_length=MAX_WEIGHT,
        length_unit="x_weighted",
        receives=False,
        undo_s=10,
    )
    fields = (
        SettingField("base_url", "Address of the API", default="https://api.x.com", kind="url"),
        SettingField("allow_hosts", "Private hosts it may reach"),
        SettingField("user_token", "Token of the account (OAuth 2.0)", secret=True),
        SettingField("consumer_key", "Consumer key (OAuth 1.0a)", secret=True),
        SettingField("consumer_secret", "Consumer secret (OAuth 1.0a)", secret=True),
        SettingField("access_token", "Access token (OAuth 1.0a)", secret=True),
        SettingField("access_token_secret", "Access token secret (OAuth 1.0a)", secret=True),
    )

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def parse(self, raw: RawContact, account: Account, *, budget_s: float) -> Sequence[Inbound]:
        """Raises `Unparsable`: nothing comes in here."""
        del raw, account, budget_s
        raise Unparsable("This channel only sends; posts come in through listening.", field="body")

    def send(self, outbound: Outbound, account: Account) -> Receipt:
        """Answers the post. Raises `NotSent` when it is too long: nothing is cut silently."""
        weight = gateway.weight(outbound.text)
        if weight > MAX_WEIGHT:
            raise NotSent(f"The answer has {weight} weighted characters; X allows {MAX_WEIGHT}.", retry=False)
        return Receipt(
            gateway.post(account, self._tools.egress, text=outbound.text, in_reply_to=outbound.in_reply_to),
            delivered=True,
        )

    def test(self, account: Account) -> Sequence[Step]:
        """Asks X who the token belongs to."""
        try:
            return [Step("account", ok=True, detail=f"@{gateway.check(account, self._tools.egress)}")]
        except AscoltoError as error:
            return [Step("account", ok=False, detail=error.message)]


def build(tools: Tools) -> XChannel:
    """The channel."""
    return XChannel(tools)
