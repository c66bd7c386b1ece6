"""Tables of the service social. Times are microseconds since 1970 UTC; flags are 0 or 1; lists are JSON."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

from services.kit.db.tables import add_kit_tables

METADATA = MetaData()
add_kit_tables(METADATA)

SOURCES = Table(
    "sources",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("brand_id", Text, nullable=False),
    Column("enabled", Integer, nullable=False),
    Column("settings", Text, nullable=False),
    Column("secrets", LargeBinary, nullable=False),  # sealed JSON, see `kit.secrets`
    Column("secret_names", Text, nullable=False),
    Column("state", Text, nullable=False),  # on, off, failing, limited
    Column("last_error", Text, nullable=False),
    Column("last_success_us", BigInteger, nullable=False),
    Column("last_post_us", BigInteger, nullable=False),
    Column("retry_us", BigInteger, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
)
GAPS = Table(  # when a source was not heard and what was said can no longer be read
    "gaps",
    METADATA,
    Column("source_id", Text, primary_key=True),
    Column("from_us", BigInteger, primary_key=True),
    Column("until_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
WATCHES = Table(
    "watches",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("brand_id", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("source_ids", Text, nullable=False),
    Column("alerting", Integer, nullable=False),
    Column("last_match_us", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)
MENTIONS = Table(
    "mentions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("source_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("author_id", Text, nullable=False),
    Column("author_handle", Text, nullable=False),
    Column("author_name", Text, nullable=False),
    Column("followers", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("tone", Integer, nullable=False),  # 0 unknown, 1 negative, 2 neutral, 3 positive
    Column("confidence", Float, nullable=False),
    Column("negative", Float, nullable=False),
    Column("tone_corrected", Integer, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("repost_of", Text, nullable=False),  # id of the mention this one copies
    Column("reposts", Integer, nullable=False),
    Column("reach", BigInteger, nullable=False),
    Column("occurred_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("removed_us", BigInteger, nullable=False),
    Column("watch_ids", Text, nullable=False),
    Column("brand_ids", Text, nullable=False),
    Column("matched", Text, nullable=False),
    Column("state", Text, nullable=False),  # new, seen, mine, answered, ignored
    Column("assignee", Text, nullable=False),
    Column("ticket_id", Text, nullable=False),
    Column("risk", Float, nullable=False),
    Column("rev", BigInteger, nullable=False),
    Column("mode", Integer, nullable=False),
    UniqueConstraint("source_id", "external_id", name="mentions_by_external"),
)
Index("mentions_by_rev", MENTIONS.c.rev)
Index("mentions_by_time", MENTIONS.c.occurred_us)
Index("mentions_by_risk", MENTIONS.c.risk)
Index("mentions_by_original", MENTIONS.c.repost_of)
Index("mentions_by_conversation", MENTIONS.c.conversation)

MATCHES = Table(  # which watch found which mention
    "matches",
    METADATA,
    Column("watch_id", Text, primary_key=True),
    Column("occurred_us", BigInteger, primary_key=True),
    Column("mention_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)
FOLDS = Table(  # keys under which copies of a text are found for 72 h
    "folds",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("mention_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
Index("folds_by_time", FOLDS.c.at_us)
BINS = Table(  # what the chart shows: counts a bin and what was expected
    "bins",
    METADATA,
    Column("watch_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("at_us", BigInteger, primary_key=True),
    Column("negative", Integer, nullable=False),
    Column("neutral", Integer, nullable=False),
    Column("positive", Integer, nullable=False),
    Column("reach", BigInteger, nullable=False),
    Column("expected", Float, nullable=False),
    Column("high", Float, nullable=False),
    sqlite_with_rowid=False,
)
SERIES = Table(  # the detector's state of each watch × source × tone
    "series",
    METADATA,
    Column("watch_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("tone", Integer, primary_key=True),
    Column("state", LargeBinary, nullable=False),
    Column("alert_id", Text, nullable=False),  # of the episode under way
    sqlite_with_rowid=False,
)
ALERTS = Table(
    "alerts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("watch_id", Text, nullable=False),
    Column("watch_name", Text, nullable=False),
    Column("brand_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("tone", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("raised_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("began_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("claimed_us", BigInteger, nullable=False),
    Column("answered_us", BigInteger, nullable=False),
    Column("resolved_us", BigInteger, nullable=False),
    Column("muted_until_us", BigInteger, nullable=False),
    Column("mute_reason", Text, nullable=False),
    Column("unmuted_state", Text, nullable=False),  # the state a mute ends in
    Column("cause", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("usual", Float, nullable=False),
    Column("usual_high", Float, nullable=False),
    Column("peak", Float, nullable=False),
    Column("score", Float, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("reach", BigInteger, nullable=False),
    Column("bin_minutes", Integer, nullable=False),
    Column("terms", Text, nullable=False),
    Column("sources", Text, nullable=False),
    Column("first_mention_id", Text, nullable=False),
    Column("ticket_ids", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("rev", BigInteger, nullable=False),
)
Index("alerts_by_state", ALERTS.c.state, ALERTS.c.raised_us)
ALERT_MENTIONS = Table(
    "alert_mentions",
    METADATA,
    Column("alert_id", Text, primary_key=True),
    Column("mention_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)
Index("alert_mentions_by_mention", ALERT_MENTIONS.c.mention_id)
HAPPENINGS = Table(
    "happenings",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("alert_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("detail", Text, nullable=False),
)
Index("happenings_by_alert", HAPPENINGS.c.alert_id, HAPPENINGS.c.id)
NOTIFIERS = Table(
    "notifiers",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # email, webhook
    Column("target", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("enabled", Integer, nullable=False),
    Column("brand_id", Text, nullable=False),
    Column("min_severity", Text, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("last_success_us", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)
NOTICES = Table(  # what is to be told whom, once
    "notices",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("notifier_id", Text, nullable=False),
    Column("alert_id", Text, nullable=False),
    Column("cause", Text, nullable=False),  # raised, severity:crisis, escalated:VERSION
    Column("state", Text, nullable=False),  # waiting, sending, sent, failed
    Column("attempts", Integer, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    UniqueConstraint("notifier_id", "alert_id", "cause", name="notices_once"),
)
Index("notices_due", NOTICES.c.state, NOTICES.c.due_us)
COUNTERS = Table(
    "counters",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
