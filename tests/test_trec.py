import gzip
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resrank.io import text as lines
from resrank.io.qrels_columns import NAMES
from resrank.io.run import write_run
from resrank.io.text import query_id_field
from resrank.io.trec import TrecError, read_metadata, read_qrels, read_run
from resrank.records import Ranking


def write(tmp_path, text):
    path = tmp_path / "file"
    path.write_text(text)
    return path


def test_run_with_junk_behind_the_sixth_column(tmp_path):
    path = write(tmp_path, "1 Q0 a 1 2.5 tag more junk\n1\tQ0\tb\t2\t1.5\ttag\n")
    assert read_run(path) == {"1": [("a", 2.5), ("b", 1.5)]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 Q0 a 1 2 t\n1 Q0 a 2 1 t\n", ":2: passage 'a' occurs twice for query '1'"),
        ("1 Q0 a 1 nan t\n", ":1: score 'nan'; a finite number"),
        ("1 Q0 a 1 x t\n", ":1: score 'x'"),
        ("1 Q0 a\n", ":1: 3 columns"),
        ("", "empty"),
        ("1\tQ0\t\t1\t2\tt\n", ":1: an id is empty"),
        ("1 Q0 a\0b 1 2 t\n", ":1: a NUL character"),
        (f"1 Q0 a 1 {'9' * 9999}x t\n", r":1: score '9+\.\.\.9+x'; a finite"),
    ],
)
def test_bad_runs(tmp_path, text, message):
    with pytest.raises(TrecError, match=message):
        read_run(write(tmp_path, text))


def test_qrels_in_both_forms(tmp_path):
    wanted = {"1": {"a": 2, "b": 0}}
    assert read_qrels(write(tmp_path, "1 0 a 2\n1 0 b 0\n1 0 a 2\n")) == wanted
    assert read_qrels(write(tmp_path, "query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t0\n")) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [("1 0 a 1\n1 0 a 2\n", ":2: .* has grade 2 here and 1 above"), ("1 0 a x\n", "grade 'x'"),
     ("1 a\n", ":1: 2 columns"), ("\n", "empty"), ("1\t\t1\n", ":1: an id is empty"),
     ("1 0 a ²\n", "grade '²'"), ("1 0 a 2147483647\n", "grade '2147483647'; one from -1,000,000"),
     ("9", ":1: 1 columns")],
)  # fmt: skip
def test_bad_qrels(tmp_path, text, message):
    with pytest.raises(TrecError, match=message):
        read_qrels(write(tmp_path, text))


COLUMNS = {"query": "q1", "passage": "5", "grade": "1", None: "0"}


@pytest.mark.parametrize("unnamed", [0, 1])
@pytest.mark.parametrize("separator", ["\t", " "])
def test_a_header_names_its_columns_in_any_order(tmp_path, unnamed, separator):
    for order in permutations([*NAMES, *[None] * unnamed]):
        for role, name in ((r, n) for r in NAMES for n in NAMES[r]):
            header = {r: NAMES[r][0].upper() for r in NAMES} | {role: name, None: "iteration"}
            rows = [[row[r] for r in order] for row in (header, COLUMNS)]
            assert read_qrels(write(tmp_path, "\n".join(map(separator.join, rows)))) == {
                "q1": {"5": 1}
            }


@pytest.mark.parametrize(
    ("text", "message"),
    [("query-id\tscore\nq1\t1\n", "header 'query-id score' names 0 columns of the passage; name one"),
     ("qid docno rel label\nq1 5 1 0\n", "names 2 columns of the grade; name one, as score"),
     ("qid docno rel\nq1 0 5 1\n", ":2: 4 columns; the header names 3 columns"),
     ("query doc-id rel\nq1 5 x\n", ":2: grade 'x'")],
)  # fmt: skip
def test_bad_headers_are_named(tmp_path, text, message):
    with pytest.raises(TrecError, match=message):
        read_qrels(write(tmp_path, text))


@pytest.mark.parametrize("comment", ["# by hand", "#q2 0 7 1", "#q2\tQ0\t7\t1\t2\tt", "#"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_lines_that_begin_with_a_number_sign_are_comments(tmp_path, comment, place):
    for read, rows, wanted in (
        (read_qrels, ["qid docno rel", "q1 5 1"], {"q1": {"5": 1}}),
        (read_qrels, ["q1 0 5 1", "q1 0 7 0"], {"q1": {"5": 1, "7": 0}}),
        (read_run, ["q1 Q0 5 1 2 t", "q1 Q0 7 2 1 t"], {"q1": [("5", 2.0), ("7", 1.0)]}),
    ):
        rows.insert(place, comment)
        assert read(write(tmp_path, "\n".join(rows))) == wanted


def test_a_query_id_that_a_trec_file_would_hide_is_refused():
    with pytest.raises(ValueError, match="x:1: the query id '#1' begins with '#'; TREC tools"):
        query_id_field({"_id": "#1"}, "_id", "x:1")
    assert query_id_field({"_id": "1#"}, "_id", "x:1") == "1#"


def test_a_mark_of_byte_order_is_no_part_of_an_id(tmp_path):
    path = tmp_path / "file"
    path.write_text("1 Q0 a 1 2.5 t\n", "utf-8-sig")
    assert read_run(path) == {"1": [("a", 2.5)]}
    path.write_bytes(gzip.compress("1 0 a 2\n".encode("utf-8-sig")))
    assert read_qrels(path) == {"1": {"a": 2}}


def test_a_line_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 1000)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(b"1 Q0 a 1 2.5 t\n" + b"x" * 1000))
    with pytest.raises(TrecError, match="file:2: a line of 1,000 characters or more"):
        read_run(path)
    path.write_text(f"{'x' * 998}\n")
    with pytest.raises(TrecError, match=":1: 1 columns"):
        read_run(path)


@pytest.mark.parametrize("header", ["a: [", "a: !!bool x", "- a"])
def test_a_header_that_is_none_is_named(tmp_path, header):
    path = write(tmp_path, f"# ir_metadata.start\n# {header}\n# ir_metadata.end\n1 Q0 a 1 2 t\n")
    with pytest.raises(ValueError, match=f"{path}"):
        read_metadata(path)


def test_gzip_is_read_whatever_its_name(tmp_path):
    run, qrels = tmp_path / "r.trec", tmp_path / "q.gz"
    run.write_bytes(gzip.compress(b"1 Q0 a 1 2.5 t\n"))
    qrels.write_bytes(gzip.compress(b"1 0 a 2\n"))
    assert read_run(run) == {"1": [("a", 2.5)]}
    assert read_qrels(qrels) == {"1": {"a": 2}}
    whole = gzip.compress(b"".join(b"1 Q0 a%d 1 2.5 t\n" % n for n in range(9999)))
    for damaged in (whole[:-9], whole[:20] + bytes(8) + whole[28:]):
        run.write_bytes(damaged)
        with pytest.raises(TrecError, match="cannot read .*r.trec: "):
            read_run(run)


@given(st.binary(max_size=200).flatmap(lambda b: st.sampled_from([b, b"\x1f\x8b" + b])))
def test_no_input_breaks_the_readers_otherwise(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "file"
    path.write_bytes(content)
    for read in (read_run, read_qrels):
        try:
            read(path)
        except TrecError as error:
            assert str(path) in str(error)


def test_written_runs_have_strictly_decreasing_scores_and_keep_ids_with_spaces(tmp_path):
    path = tmp_path / "a.trec"
    write_run(path, [Ranking("q 1", ("b x", "a", "c"), (1.0, 1.0, 1.0))], "tag")
    assert read_run(path) == {"q 1": [("b x", 3.0), ("a", 2.0), ("c", 1.0)]}
