from resrank.reporting.figures import COLOURS, MARKERS, colour_and_marker


def test_no_two_systems_look_alike():
    assert len({colour_and_marker(place) for place in range(64)}) == 64
    assert colour_and_marker(7) == (COLOURS[7], MARKERS[7])
