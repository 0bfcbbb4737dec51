"""Proxies and certificates that the environment names for an endpoint."""

import ssl
import sys

import certifi
import pytest

from baselines.llm.backends.proxy_and_certificates import certificates, connection_options
from tests.llm.http_reranker import requests, reranker, reverse
from tests.llm.server import endpoint

VARIABLES = ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]
BUNDLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"]


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch):
    for name in [*VARIABLES, *map(str.lower, VARIABLES), *BUNDLES]:
        monkeypatch.delenv(name, raising=False)


def test_an_excluded_proxy_is_not_used(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    with endpoint(reverse) as server:
        reranker(server.url).rerank_many(requests(1, depth=4))
        assert len(server.times) == 1


@pytest.mark.parametrize("variable", ["ALL_PROXY", "http_proxy"])
@pytest.mark.parametrize("scheme", ["socks5", "gopher"])
def test_an_unusable_proxy_is_named_by_its_variable(monkeypatch, variable, scheme):
    monkeypatch.setenv(variable, f"{scheme}://me:secret@proxy.example:1080")
    wanted = rf"^{variable} names a proxy .*socks.*add vllm.example to NO_PROXY"
    if scheme == "socks5":  # usable where `socksio` is installed
        monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ValueError, match=wanted) as caught:
        reranker("http://vllm.example/v1")
    assert "secret" not in str(caught.value)


def test_a_proxy_is_used(monkeypatch):
    with endpoint(reverse) as server:
        monkeypatch.setenv("http_proxy", server.url.removeprefix("http://").removesuffix("/v1"))
        reranker("http://vllm.example/v1").rerank_many(requests(1, depth=4))
        assert server.headers[0]["Host"] == "vllm.example"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_come_from_the_variables_of_requests(monkeypatch, tmp_path, variable):
    first = certifi.contents().partition("-----END CERTIFICATE-----")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("".join(first[:2]) + "\n")
    monkeypatch.setenv(variable, str(bundle))
    assert len(certificates().get_ca_certs()) == 1
    context = connection_options("https://api.example.com/v1")["verify"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    monkeypatch.setenv(variable, str(tmp_path / "none.pem"))
    with pytest.raises(ValueError, match=f"^{variable} names .*none.pem"):
        connection_options("https://api.example.com/v1")
    with pytest.raises(ValueError, match=f"^{variable} names .*none.pem"):
        connection_options("HTTPS://api.example.com/v1")
    connection_options("http://localhost:8000/v1")  # which needs none
