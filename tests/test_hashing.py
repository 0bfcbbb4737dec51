import hashlib

from resrank.io.hashing import in_hash_order, sha256_lines
from resrank.jobs.inputs import in_sample_order
from resrank.records import Query

IDS = ["q1", "q2", "17", "é", "\ud800", "a b"]


def test_the_order_is_that_of_each_texts_sha256():
    digests = {i: hashlib.sha256(i.encode("utf-8", "surrogatepass")).hexdigest() for i in IDS}
    assert in_hash_order(IDS, str) == sorted(IDS, key=digests.__getitem__)
    assert in_hash_order(reversed(IDS), str) == in_hash_order(IDS, str)


def test_timed_queries_are_those_that_earlier_results_were_timed_on():
    requests = [(Query(i, "x"), []) for i in IDS]
    ordered = [query.id for query, _ in in_sample_order(requests)]
    assert ordered == sorted(IDS, key=lambda i: sha256_lines([i]))
