"""The desk's tables. Times are microseconds since 1970 UTC; flags are 0 or 1; lists and maps are JSON texts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from services.kit.db.tables import add_kit_tables

METADATA = MetaData()
add_kit_tables(METADATA)

USERS = Table(
    "users",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),  # lower case
    Column("name", Text, nullable=False),
    Column("password", Text, nullable=False),  # argon2id, with its parameters
    Column("roles", Text, nullable=False),
    Column("brand_ids", Text, nullable=False),
    Column("teams", Text, nullable=False),
    Column("preferences", Text, nullable=False),
    Column("disabled", Integer, nullable=False),
    Column("must_change", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("last_login_us", BigInteger, nullable=False),  # 0: never
)
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the cookie's value
    Column("user_id", Text, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("begun_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("device", Text, nullable=False),
)
Index("sessions_by_user", SESSIONS.c.user_id)
FACTORS = Table(
    "factors",
    METADATA,
    Column("user_id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),  # encrypted
    Column("begun_us", BigInteger, nullable=False),
    Column("confirmed_us", BigInteger, nullable=False),  # 0: not confirmed by a code yet
    Column("last_step", BigInteger, nullable=False),  # of the last code taken: none of it or before it is taken again
)
RECOVERY_CODES = Table(
    "recovery_codes",
    METADATA,
    Column("user_id", Text, primary_key=True),
    Column("code_hash", LargeBinary, primary_key=True),  # keyed; a used one is gone
)
RESETS = Table(
    "resets",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),  # empty: the address is nobody's
    Column("asked_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),  # when the mail is tried (again); 0: done
    Column("attempts", Integer, nullable=False),
)
Index("resets_due", RESETS.c.due_us)
TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("brand_ids", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),  # 0: never
    Column("last_used_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger, nullable=False),  # 0: not revoked
)
DRAFTS = Table(
    "drafts",
    METADATA,
    Column("ticket_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),  # reply, note
    Column("text", Text, nullable=False),
    Column("fields", Text, nullable=False),  # JSON: to, cc, caret, key, attachments, last_seen
    Column("version", BigInteger, nullable=False),
    Column("saved_us", BigInteger, nullable=False),
)
Index("drafts_by_user", DRAFTS.c.user_id, DRAFTS.c.saved_us)
UPLOADS = Table(
    "uploads",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("ticket_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("blob_key", Text, nullable=False),
    Column("sent", Integer, nullable=False),  # 1: an answer holds the blob, which then stays
    Column("created_us", BigInteger, nullable=False),
)
Index("uploads_by_time", UPLOADS.c.created_us)
SEARCHES = Table(
    "searches",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("name", Text, nullable=False),  # empty: one of the last 20
    Column("query", Text, nullable=False),
    Column("used_us", BigInteger, nullable=False),
)
Index("searches_of_user", SEARCHES.c.user_id, SEARCHES.c.name, SEARCHES.c.query, unique=True)
ANSWERS = Table(
    "answers",
    METADATA,
    Column("key_hash", LargeBinary, primary_key=True),  # of caller, method, path and Idempotency-Key
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),  # 0: under way
    Column("media_type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)
Index("answers_by_time", ANSWERS.c.created_us)
AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("detail", Text, nullable=False),  # never a body, an address or a secret
)
Index("audit_by_object", AUDIT.c.object_id, AUDIT.c.id)
PRESENCE = Table(
    "presence",
    METADATA,
    Column("ticket_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("doing", Text, nullable=False),  # looking, writing
    Column("brand_id", Text, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
)
OWN = (USERS, SESSIONS, FACTORS, RECOVERY_CODES, RESETS, TOKENS, DRAFTS, UPLOADS, SEARCHES, ANSWERS, AUDIT, PRESENCE)
