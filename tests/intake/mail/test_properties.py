"""What holds for every mail: parsing raises one error only, nothing of a text is lost, nothing fetches, keys ignore hops."""

import random
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.intake.mail import addresses, charsets, headers, html, keys, quotes, subject
from services.intake.mail.parse import outline, parse_mail
from services.intake.mail.parsed import ParsedMail, Unparsable

MAILS = [
    path.read_bytes() for path in sorted((Path(__file__).parents[2] / "fixtures" / "channels" / "email").glob("*.eml"))
]
LINES = st.sampled_from(
    [
        "On Thu, Nov 19, 2026 at 10:02 AM Shop <care@shop.example> wrote:",
        "From: Shop <care@shop.example>",
        "Sent: Thursday",
        "Subject: x",
        "To: Mara",
        "> quoted",
        ">> deeper",
        "",
        "-- ",
        "-----Original Message-----",
        "________________________________",
        "Sent from my iPhone",
        "---------- Forwarded message ---------",
        "see below",
        html.QUOTE_STARTS,
    ]
) | st.text(max_size=80).map(lambda text: " ".join(text.split()))


def outcome(raw: bytes) -> ParsedMail | Unparsable:
    try:
        return parse_mail(raw)
    except Unparsable as error:
        return error


@given(st.binary(max_size=2_000))
def test_any_bytes_give_a_mail_or_the_one_error(raw):
    outcome(raw)


class Fetched(HTMLParser):
    """The addresses a browser would ask for by itself; what merely reads like a tag is text."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name == "src" and (value or "").startswith("http")]


@given(st.sampled_from(MAILS), st.integers(0, 2**32))
@example(next(one for one in MAILS if b"html-hostile" in one), 13785847)  # leaves the text of a tag, escaped
@settings(max_examples=300)
def test_a_damaged_mail_gives_a_mail_or_the_one_error(raw, seed):
    dice = random.Random(seed)
    data = bytearray(raw)
    for _ in range(dice.randint(1, 12)):
        at = dice.randrange(len(data) or 1)
        act = dice.randrange(4)
        if act == 0:
            data[at : at + 1] = bytes([dice.randrange(256)])
        elif act == 1:
            del data[at : at + dice.randint(1, 40)]
        elif act == 2:
            data[at:at] = data[: dice.randint(1, 200)]
        else:
            data[at:at] = dice.choice(
                [b"\r\n", b"\n\n", b"=?utf-8?b?", b"--", b"\x00", b"<>", b'"', b"Content-Type: ;\n"]
            )

    found = outcome(bytes(data))

    if isinstance(found, ParsedMail):
        assert "\x00" not in found.text
        assert Fetched(found.html).found == []


@given(st.binary(max_size=3_000))
def test_the_outline_of_any_bytes_never_fails(raw):
    mail = outline(raw, "because")

    assert mail.not_rendered == "because"
    assert mail.never_answer


@given(st.lists(LINES, max_size=30), st.booleans())
def test_every_line_is_in_exactly_one_of_the_three_parts(lines, forwarded):
    parted = quotes.separate("\n".join(lines), forward_subject=forwarded)

    given_lines = sorted(line for line in lines if line.strip() and line.strip() != html.QUOTE_STARTS)
    kept = [
        line for part in (parted.reply, parted.quoted, parted.signature) for line in part.split("\n") if line.strip()
    ]
    assert sorted(kept) == given_lines


@given(st.lists(LINES, max_size=30))
def test_a_text_that_says_something_never_becomes_empty(lines):
    text = "\n".join(lines)

    parted = quotes.separate(text)

    assert bool(parted.reply.strip()) or not text.replace(html.QUOTE_STARTS, "").strip()


@given(
    st.binary(max_size=200),
    st.sampled_from(["", "utf-8", "us-ascii", "latin1", "gb2312", "x-none", "utf-16", "utf-7", "hex", "rot13", "\x00"]),
)
def test_any_bytes_under_any_label_become_text_without_nul(data, label):
    text, _told = charsets.decode(data, label)

    assert "\x00" not in text
    text.encode("utf-8", "surrogatepass")


@given(st.text(max_size=300))
def test_addresses_found_are_one_plain_address_each(value):
    for one in addresses.parse(value):
        assert one.address.count("@") >= 1
        assert not set("\r\n<> ,") & set(one.address.rpartition("@")[2])
        assert "\n" not in one.name


@given(st.text(max_size=200))
def test_the_base_of_a_subject_is_the_base_of_its_answer(text):
    base = subject.base(subject.tidy(text))

    assert subject.base(f"Re: {base}") == base


@given(st.text(max_size=500))
def test_encoded_words_of_any_text_never_fail(value):
    headers.words(value)
    headers.parameters(value)
    headers.ids(value)
    headers.date(value)


REMOTE = st.sampled_from(
    ["http://e.example/x", "//e.example/x", "HTTPS://e.example/x", " http://e.example", "ht\ntp://e.example"]
)


@given(
    REMOTE,
    st.sampled_from(
        [
            '<img src="{u}">',
            "<img src='{u}' srcset='{u} 2x'>",
            '<div style="background:url({u})">x</div>',
            '<p style="background:u\\72l({u})">x',
            '<table background="{u}"><tr><td background="{u}">x',
            '<video poster="{u}"><source src="{u}">',
            '<link rel=stylesheet href="{u}"><style>@import "{u}"</style>',
            '<svg><image href="{u}"/></svg>',
            '<input type=image src="{u}"><object data="{u}"></object><embed src="{u}"><iframe src="{u}">',
            "<li style=\"list-style-image:image-set('{u}' 1x)\">x",
            "<p style=\"content:url({u});font:x image('{u}')\">x",
            '<img title="<img src={u}>" alt="src=\'{u}\'" data-remote-src="{u}">',
        ]
    ),
)
def test_nothing_loads_from_outside_before_a_click(url, template):
    clean = html.sanitise(template.replace("{u}", url))

    tags = html.plain("".join(part.split(">")[0] for part in clean.split("<")[1:]))
    loading = tags.replace("data-remote-src=", "shelf=")
    assert " src=" not in loading.replace('alt="src=', "").replace("<img src=", "")
    assert "url(" not in clean
    assert "background=" not in clean
    assert "x-remote" not in clean


@given(
    st.sampled_from(MAILS),
    st.lists(
        st.sampled_from(
            [
                "Received: from a by b; now",
                "X-Spam: no",
                "Return-Path: <a@b.example>",
                "Delivered-To: c@d.example",
                "ARC-Seal: i=1",
                "Authentication-Results: x; dmarc=pass",
            ]
        ),
        max_size=4,
    ),
)
def test_the_transport_key_ignores_what_hops_add(raw, added):
    hopped = "".join(f"{line}\r\n" for line in added).encode() + raw.replace(b"\r", b"\n").replace(b"\n", b"\r\n")

    assert keys.transport_key(hopped) == keys.transport_key(raw.replace(b"\r", b"\n"))


def test_the_transport_key_tells_another_body_under_the_same_id():
    one = b"Message-ID: <same@example.org>\n\nuno"

    assert keys.transport_key(one) != keys.transport_key(one.replace(b"uno", b"due"))
    assert keys.transport_key(one).startswith("same@example.org#")
    assert keys.transport_key(b"Subject: x\n\nuno").startswith("#")
