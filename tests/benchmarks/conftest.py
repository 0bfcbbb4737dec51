import pytest


@pytest.fixture(scope="session")
def timed(request: pytest.FixtureRequest) -> bool:
    """Return whether benchmarks are timed. Otherwise each runs once, on less data."""
    return request.config.getoption("benchmark_enable")
