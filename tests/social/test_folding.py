"""Copies: by the source's own word, by content, by likeness; always under the first of them."""

from __future__ import annotations

from ascolto.social.v1 import service_pb2 as pb

LONG = "Pacco danneggiato e mai rimborsato, con Lumaca Casa ho chiuso per sempre e lo dico a tutti"


def ingest(social, *posts):
    items = []
    for own, text, repost_of, followers in posts:
        item = pb.NewMention(
            external_id=own, author_handle=f"h{own}", text=text, repost_of=repost_of, followers=followers
        )
        item.occurred_at.FromDatetime(social.clock.now())
        items.append(item)
    return social.call("IngestMentions", pb.IngestMentionsRequest(source="replay", items=items)).items


def listed(social):
    page = social.call("ListMentions", pb.ListMentionsRequest())
    return {one.external_id: (one.reposts, one.reach) for one in page.mentions}


def test_what_the_source_calls_a_repost_is_one_however_little_of_it_is_left(social):
    ingest(social, ("1", LONG, "", 100))

    ingest(social, ("2", "RT @h1: Pacco…", "1", 30), ("3", "Lumaca Casa: ecco", "1", 5))

    assert listed(social) == {"1": (2, 135)}


def test_original_and_reposts_of_one_batch_are_folded(social):
    ingest(social, ("1", LONG, "", 100), ("2", "guardate Lumaca Casa", "1", 30), ("3", LONG.upper(), "", 7))

    assert listed(social) == {"1": (2, 137)}


def test_a_repost_whose_original_we_never_saw_stands_for_itself(social):
    ingest(social, ("2", "RT @altro: Lumaca Casa delusione", "1", 30))

    assert listed(social) == {"2": (0, 30)}


def test_a_copy_of_a_copy_counts_for_the_original(social):
    ingest(social, ("1", "Lumaca Casa: una delusione che non dimentico, mai più ordini da loro", "", 10))
    ingest(social, ("2", LONG, "1", 20))

    ingest(social, ("3", LONG + "!", "2", 40), ("4", LONG, "", 80))

    assert listed(social) == {"1": (3, 150)}
