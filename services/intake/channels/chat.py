"""Live chat on the shop's pages: one conversation per visitor, answered on the spot, by e-mail when they have left.

The socket and the page are in `web/chat.py`; here is what one message means and how an answer reaches the visitor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from services.intake.domain.channel import Account, Capabilities, Outbound, Receipt, SettingField, Step
from services.intake.domain.contact import Identity, Inbound, RawContact, Threading
from services.intake.ports import Elsewhere, NotSent, Tools, Unparsable
from services.kit.errors import NotFound

MAX_TEXT = 10_000
_GONE_S = 120.0  # a visitor away for longer is answered by e-mail
_LOOK_AGAIN_S = 5.0

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    client_id: Id
    conversation: Id
    visitor: Id
    text: str
    name: str = ""
    email: str = ""
    email_verified: bool = False
    customer: str = ""
    language: str = ""


_DECODER = msgspec.json.Decoder(_Message)


class ChatChannel:
    """See the module."""

    id = "chat"
    capabilities = Capabilities(threading=Threading.CONVERSATION, live=True, max_length=MAX_TEXT)
    fields = (
        SettingField(
            "continue_after_s",
            "Seconds after which a visitor who left is answered by e-mail",
            default="120",
            kind="number",
        ),
        SettingField("identity_secret", "Key with which the shop vouches for its customers", secret=True),
        SettingField("identity_secret_old", "Key that is being replaced", secret=True),
    )

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def parse(self, raw: RawContact, account: Account, *, budget_s: float) -> Sequence[Inbound]:
        """One message. Raises `Unparsable` with the field at fault."""
        del account, budget_s
        try:
            message = _DECODER.decode(bytes(raw.body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unparsable(f"The message cannot be read: {error}.", field="body") from error
        if not message.text.strip():
            raise Unparsable("The message is empty.", field="text")
        if len(message.text) > MAX_TEXT:
            raise Unparsable(f"The message has more than {MAX_TEXT} characters.", field="text")
        visitor = Identity("visitor", message.visitor, message.name[:200])
        others = []
        if message.customer:
            others.append(Identity("customer", message.customer, message.name[:200], verified=True))
        if message.email:
            others.append(Identity("email", message.email.lower(), message.name[:200], verified=message.email_verified))
        return [
            Inbound(
                event_key=f"{message.conversation}:{message.client_id}",
                external_id=f"{message.conversation}:{message.client_id}",
                conversation=message.conversation,
                sender=visitor,
                identities=tuple(others),
                text=message.text.replace("\x00", ""),
                language=message.language[:2].lower(),
                locale=message.language[:20],
            )
        ]

    def send(self, outbound: Outbound, account: Account) -> Receipt:
        """Puts the answer into the history and before the visitor; when they left with an address, sends it there.

        Idempotent by the delivery's id, so a repeat shows it once.
        """
        visitors = self._tools.visitors
        if visitors is None:
            raise NotSent("The chat is not running here.", retry=True)
        try:
            presence = visitors.post(
                outbound.conversation,
                client_id=outbound.delivery_id,
                author=outbound.author_name,
                text=outbound.text,
                automatic=outbound.automatic,
            )
        except NotFound as error:
            raise NotSent(error.message, retry=False) from error
        if presence.connected or not presence.email or outbound.automatic:
            return Receipt(outbound.delivery_id, delivered=presence.connected)
        patience = account.setting("continue_after_s", "")
        if presence.gone_s < (float(patience) if patience.isdigit() else _GONE_S):
            raise NotSent("The visitor has just left; waiting for their return.", retry=True, after_s=_LOOK_AGAIN_S)
        raise Elsewhere("email", [Identity("email", presence.email, presence.name)])

    def test(self, account: Account) -> Sequence[Step]:
        """Says where the chat is."""
        return [Step("page", ok=True, detail=f"/c/{account.brand_slug}/chat")]


def build(tools: Tools) -> ChatChannel:
    """The channel."""
    return ChatChannel(tools)
