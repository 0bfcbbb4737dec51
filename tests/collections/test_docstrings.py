from resrank.collections.numpydoc import parse
from resrank.collections.see_also import Objects, links, package_of
from resrank.collections.see_also_graph import split_by_component
from resrank.records import Split

DOC = """
    add(x1, x2, /, out=None)

    Add arguments element-wise.

    Parameters
    ----------
    x1 : array_like
        The arrays.

    See Also
    --------
    subtract : The opposite,
        with a, b in its description.
    multiply, ~numpy.divide

    Notes
    -----
    Equivalent to ``x1 + x2``, see :func:`numpy.sum`.
    """


def test_see_also_is_cut_out_and_its_names_are_kept():
    doc = parse(DOC)
    assert doc is not None
    assert doc.summary == "Add arguments element-wise."
    assert doc.see_also[:2] == ("subtract", "multiply")
    assert "subtract" not in doc.text
    assert doc.text.endswith("Notes Equivalent to x1 + x2, see numpy.sum.")


def test_directive():
    doc = parse("Do it well, please.\n\n.. seealso::\n   :meth:`~a.B.c`, :func:`d`\n\nMore.")
    assert doc is not None
    assert doc.see_also == ("a.B.c", "d")
    assert doc.text == "Do it well, please. More."


def test_the_splits_of_a_real_package_share_no_positive():
    objects = Objects()
    objects.add("networkx", 100)
    relevant = links(objects)
    assert len(relevant) > 200
    assert all(package_of(f) == "networkx" for result in relevant.values() for f in result)
    splits = split_by_component(relevant)
    seen = {
        split: {x for n, s in splits.items() if s == split for x in (n, *relevant[n])}
        for split in Split
    }
    assert not seen[Split.TRAIN] & seen[Split.TEST]
    assert not seen[Split.TRAIN] & seen[Split.DEV]
    assert splits == split_by_component(relevant)


def test_addresses_of_a_process_are_no_part_of_a_text():
    raw = "Send it.\n\nOptions are <torch.Options object at 0x7f20201b8870> by default."
    result = parse(raw)
    assert result is not None
    assert result.text == "Send it. Options are <torch.Options object> by default."
