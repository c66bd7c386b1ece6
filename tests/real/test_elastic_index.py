"""Elasticsearch keeps what the local index keeps: its contract, the order of arrival, what people get from a search."""

# ruff: noqa: F401, F811 (pytest collects the tests that are imported, with the fixtures of this module)

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.search.index.elastic import ElasticEngine, ElasticIndex
from tests.contracts.index import IndexContract
from tests.real.elastic import make_engine, make_world, search_template, world
from tests.search.test_find import (
    shop,
    test_a_code_not_indexed_yet_is_shown_from_the_store,
    test_a_customer_is_sought_by_name_and_their_messages_found,
    test_a_long_text_is_searched_whole_though_the_event_is_cut,
    test_a_mention_is_found_by_author_and_tone_until_it_is_removed,
    test_a_ticket_is_one_hit_with_its_messages_inside,
    test_each_way_out_leads_to_as_many_as_it_says,
    test_facets_are_or_within_and_and_between,
    test_fields_and_values_are_completed_with_counts,
    test_no_query_is_an_error_or_slow,
    test_no_query_whatever_shows_what_its_reader_may_not_see,
    test_notes_and_customers_need_the_right_to_read_tickets,
    test_other_brands_are_never_hinted_at,
    test_spam_is_offered_not_shown,
    test_state_of_the_ticket_filters_its_messages,
    test_what_is_pasted_is_recognised,
)
from tests.search.test_index_order import (
    test_a_batch_repeated_after_a_crash_changes_nothing,
    test_a_page_read_before_a_change_and_written_after_it_does_not_undo_it,
    test_a_poison_event_is_parked_and_the_rest_goes_on,
    test_a_row_that_changes_while_a_rebuild_reads_is_there_once,
    test_any_order_twice_and_a_rebuild_in_between_end_in_the_owners_documents,
    test_what_the_index_committed_and_nothing_remembers_is_there_once_all_the_same,
    test_what_was_erased_stays_erased_though_its_events_come_again,
)

pytestmark = pytest.mark.timeout(300)


class TestElasticIndex(IndexContract):
    @pytest.fixture
    def make_index(self, make_engine: Callable[[], ElasticEngine]) -> Callable[[], ElasticIndex]:
        return lambda: make_engine().open(1, built=False)
