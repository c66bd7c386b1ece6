"""gRPC → use cases: `ascolto.social.v1.Social`, put together from its three subjects."""

from __future__ import annotations

from services.social.rpc.alerts import AlertCalls
from services.social.rpc.mentions import MentionCalls
from services.social.rpc.settings import SettingCalls


class SocialService(MentionCalls, AlertCalls, SettingCalls):
    """All methods of the contract."""
