"""The golden journey over PostgreSQL, Kafka, Elasticsearch and S3: two processes of each service, one of each killed in the middle."""

from __future__ import annotations

from functools import partial

import pytest

from services.__main__ import wire
from services.demo import check
from tests.real.cluster import Cluster, backends


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # connections of those that were killed
@pytest.mark.timeout(900)
def test_the_golden_journey_holds_with_two_of_each_and_one_of_each_killed(
    postgres_url: str, kafka_url: str, elasticsearch_url: str, s3_url: str, own_name: str
) -> None:
    given = backends(postgres_url, kafka_url, elasticsearch_url, s3_url, own_name)

    assert check.run(kill=True, wire=wire, make=partial(Cluster, backends=given)) == 0
