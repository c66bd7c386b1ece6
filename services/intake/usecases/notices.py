"""Mails of the installation to its staff: by the first account that can send one, kept nowhere."""

from __future__ import annotations

from typing import cast

from services.intake.ports import Account, Notice, Notifies, NotSent, Uncertain
from services.intake.usecases.directory import Directory
from services.kit import log
from services.kit.errors import Invalid, Unavailable


class Notices:
    """The shop's outgoing mail, for who works there."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._log = log.logger("intake")

    @property
    def able(self) -> bool:
        """Whether there is a way out."""
        return self._way() is not None

    def send(self, notice: Notice) -> None:
        """Hands the mail over once.

        Raises `Unavailable` when the same call may succeed later, `Invalid` when it never will: no way out, an address
        that is refused, or one that is a mailbox of the shop itself, whose mail every agent reads.
        """
        if self._directory.accounts_for_address(notice.to):
            raise Invalid(
                "This address is a mailbox of the shop: what is sent there is read by every agent.", field="to"
            )
        way = self._way()
        if way is None:
            raise Invalid(
                "No mail account is on, or the installation has no relay (ASCOLTO_SMTP_OUT).", field="account"
            )
        channel, account = way
        try:
            channel.notify(notice, account)
        except NotSent as error:
            raise (Unavailable if error.retry else Invalid)(error.message, account_id=account.id) from error
        except Uncertain:
            self._log.warning("notice.uncertain", notice_id=notice.id, account_id=account.id)

    def _way(self) -> tuple[Notifies, Account] | None:
        for account in sorted(self._directory.picture.accounts.values(), key=lambda one: one.id):
            channel = self._directory.channels[account.channel]
            if account.state == "on" and hasattr(channel, "notify") and hasattr(channel, "notifies"):
                notifier = cast("Notifies", channel)
                if notifier.notifies(account):
                    return notifier, account
        return None
