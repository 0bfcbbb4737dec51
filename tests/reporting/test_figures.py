from resrank.reporting.figures import COLOURS, MARKERS, colour_and_marker


def test_no_two_systems_look_alike():
    assert len({colour_and_marker(place) for place in range(104)}) == 104
    assert len({colour_and_marker(place)[1] for place in range(13)}) == 13  # in grey too
    assert colour_and_marker(7) == (COLOURS[7], MARKERS[7])
