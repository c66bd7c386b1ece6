"""What is new in a mail, apart from what it quotes and from the signature.

Nothing is deleted: every line of the text is in exactly one of the three. When unsure, everything counts as new.
The cost is linear in the lines; only the first part of a long line is looked at.
"""

# ruff: noqa: RUF001 (words of the customers' languages stand in their own letters)

from __future__ import annotations

from dataclasses import dataclass

from services.intake.mail import quote_marks as marks
from services.intake.mail.addresses import parse as parse_addresses
from services.intake.mail.html import QUOTE_STARTS
from services.intake.mail.parsed import Address

_LINES = 20_000  # a longer text is shown whole
_SIGNATURE_LINES = 30


@dataclass(frozen=True, slots=True)
class Separated:
    """The three parts; `forward` tells that the quoted mail is what the sender wants read."""

    reply: str
    quoted: str = ""
    signature: str = ""
    forward: bool = False
    forwarded_from: Address | None = None


def separate(text: str, *, forward_subject: bool = False) -> Separated:
    """Separates new text, quoted text and signature. A forward, and a mail that would be left empty, stays whole."""
    lines = text.split("\n")
    if len(lines) > _LINES:
        return Separated(reply=text.replace(QUOTE_STARTS, ""))
    heads = [line[: marks.LINE] for line in lines]
    telling = [at for at, line in enumerate(heads) if marks.may_tell(line)]
    forward = _forward(heads, telling, forward_subject=forward_subject)
    if forward is not None:
        return Separated(reply=_joined(lines), forward=True, forwarded_from=_sender(heads, forward))
    start, plain = _quote_start(heads, telling)
    if start is None:
        start, plain = _tail(heads), True
    if start is None:
        reply, signature = _signature(lines)
        return (
            Separated(reply=_joined(reply), signature=_joined(signature)) if _says(reply) else Separated(_joined(lines))
        )
    above = lines[:start]
    if plain:
        return _quoted_by_marks(lines, heads, start)
    if not _says(above) or any(marks.INLINE.search(line) for line in heads[:start]):
        return Separated(reply=_joined(lines))
    reply, signature = _signature(above)
    if not _says(reply):
        return Separated(reply=_joined(lines))
    return Separated(reply=_joined(reply), quoted=_joined(lines[start:]), signature=_joined(signature))


def _quoted_by_marks(lines: list[str], heads: list[str], start: int) -> Separated:
    """The case of `>` lines: what follows them decides between answer above, answer below and answers between."""
    first = next((at for at in range(start, len(lines)) if _is_marked(heads[at])), start)
    last = next((at for at in range(len(lines) - 1, first - 1, -1) if _is_marked(heads[at])), first)
    between = any(
        line.strip() and not _is_marked(line) and not _wrapped(heads, at)
        for at, line in enumerate(heads[first:last], first)
    )
    above, signature_above = _signature(lines[:start])
    below, signature_below = _signature(lines[last + 1 :], whole=True)
    if between or (_says(above) and _says(below)):
        return Separated(reply=_joined(lines))  # answers stand among the quoted lines
    reply, other = (above, below) if _says(above) else (below, above)
    if not _says(reply):
        return Separated(reply=_joined(lines))
    quoted = lines[start : last + 1]
    return Separated(
        reply=_joined(reply), quoted=_joined(quoted), signature=_joined([*other, *signature_above, *signature_below])
    )


def _is_marked(line: str) -> bool:
    return line.lstrip(" ").startswith((">", "＞"))


def _wrapped(heads: list[str], at: int) -> bool:
    """The short rest of a quoted line that a mail program broke: alone between two quoted ones, a few words."""
    return (
        0 < at < len(heads) - 1
        and _is_marked(heads[at - 1])
        and _is_marked(heads[at + 1])
        and len(heads[at - 1]) >= 70
        and len(heads[at]) <= 25
        and not heads[at].rstrip().endswith((".", "!", "?"))
    )


def _quote_start(heads: list[str], telling: list[int]) -> tuple[int | None, bool]:
    """The line where quoting begins, and whether it is by `>` marks; `(None, False)` when nothing announces it."""
    for at in telling:
        line = heads[at]
        bare = line.strip()
        if bare == QUOTE_STARTS or marks.OWN_MARK.match(line) or marks.is_original_mark(line):
            return at, _next_is_marked(heads, at + 1)
        if _is_marked(line):
            continue
        if (
            marks.is_rule(line)
            and (after := _next_text(heads, at + 1)) is not None
            and marks.header_block(heads, after)
        ):
            return at, False
        if marks.header_block(heads, at):
            return at, False
        if marks.ends_attribution(line):
            begin = _attribution(heads, at)
            if begin is not None:
                return begin, _next_is_marked(heads, at + 1)
        elif marks.is_bare_attribution(line) and _next_is_marked(heads, at + 1):
            return at, True
    return None, False


def _attribution(heads: list[str], end: int) -> int | None:
    """Where the attribution that ends on line `end` begins: at most four lines above, none of them empty."""
    joined = ""
    for at in range(end, max(end - 4, -1), -1):
        if not heads[at].strip() or (at != end and _is_marked(heads[at])):
            return None
        joined = f"{heads[at].strip()} {joined}".strip()
        if marks.is_attribution(joined):
            above = heads[at - 1] if at else ""
            begins_above = above.strip() and marks.begins_attribution(above) and not (at > 1 and heads[at - 2].strip())
            return at - 1 if begins_above and not marks.begins_attribution(heads[at]) else at
    return None


def _next_text(heads: list[str], at: int) -> int | None:
    return next((further for further in range(at, min(at + 4, len(heads))) if heads[further].strip()), None)


def _next_is_marked(heads: list[str], at: int) -> bool:
    further = _next_text(heads, at)
    return further is not None and _is_marked(heads[further])


def _tail(heads: list[str]) -> int | None:
    """The first line of a block of `>` lines of at least two, when the mail has one and no announcement."""
    quoted = [at for at, line in enumerate(heads) if _is_marked(line)]
    return quoted[0] if len(quoted) >= 2 else None


def _forward(heads: list[str], telling: list[int], *, forward_subject: bool) -> int | None:
    """Where a forwarded mail begins: at its announcement, or at a header block when the subject says forward."""
    for at in telling:
        line = heads[at]
        if marks.is_forward_mark(line):
            return at
        if forward_subject and (marks.header_block(heads, at) or marks.is_original_mark(line)):
            return at
        if not forward_subject and (marks.is_original_mark(line) or marks.header_block(heads, at)):
            return None
        if marks.ends_attribution(line) and _attribution(heads, at) is not None:
            return at if forward_subject else None
    return len(heads) - 1 if forward_subject else None


def _sender(heads: list[str], at: int) -> Address | None:
    """The original sender, from the header block after a forward's announcement."""
    for further in range(at, min(at + 8, len(heads))):
        if marks.header_block(heads, further):
            value = (
                heads[further]
                .replace("：", ":")
                .partition(":")[2]
                .strip(" *")
                .replace("[mailto:", "<")
                .replace("]", ">")
            )
            found = parse_addresses(value)
            return found[0] if found else None
    return None


def _signature(lines: list[str], *, whole: bool = False) -> tuple[list[str], list[str]]:
    """New text and signature. A signature is what follows `-- ` within the last lines, or a mobile client's footer."""
    floor = 0 if whole else max(0, len(lines) - _SIGNATURE_LINES)
    for at in range(floor, len(lines)):
        if lines[at] in {"-- ", "--", "—", "–– "} and (at > 0 or whole):
            return lines[:at], lines[at:]
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    if end and marks.is_mobile_footer(lines[end - 1][: marks.LINE]):
        return lines[: end - 1], lines[end - 1 :]
    if end >= 2 and not lines[end - 2].strip() and marks.is_rule(lines[end - 1]):
        return lines[: end - 1], lines[end - 1 :]
    return lines, []


def _says(lines: list[str]) -> bool:
    """Whether anything is left to read."""
    return any(line.strip(" \t>*_-\u00a0" + QUOTE_STARTS) for line in lines)


def _joined(lines: list[str]) -> str:
    return "\n".join(line for line in lines if line.strip() != QUOTE_STARTS).strip("\n")
