"""The proxy and the certificates for an endpoint, from the same variables as `requests` reads."""

from __future__ import annotations

import os
import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx2
from requests.utils import get_environ_proxies, select_proxy

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def connection_options(url: str) -> dict[str, Any]:
    """Return the arguments of an `httpx2` client that reaches an address.

    ValueError if the environment names a proxy or certificates that cannot be used.
    """
    proxy = select_proxy(url, get_environ_proxies(url))
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    schemes = {urlsplit(address).scheme for address in (url, proxy) if address}
    # Plain HTTP needs no certificates, so unreadable ones are no error there.
    context = ssl.create_default_context() if schemes == {"http"} else certificates()
    options: dict[str, Any] = {"verify": context, "trust_env": False}
    return options | ({"proxy": _usable(proxy, url, context)} if proxy else {})


def certificates() -> ssl.SSLContext:
    """Return the certificates to trust: those that a variable names, or the system's."""
    for variable in BUNDLES:
        if path := os.environ.get(variable):
            try:
                if os.path.isdir(path):
                    return ssl.create_default_context(capath=path)
                return ssl.create_default_context(cafile=path)
            except OSError as error:
                raise ValueError(
                    f"{variable} names {path}, which holds no readable certificates ({error}): "
                    "correct or unset it"
                ) from error
    return httpx2.create_ssl_context()  # which reads SSL_CERT_FILE and SSL_CERT_DIR


def _usable(proxy: str, url: str, context: ssl.SSLContext) -> httpx2.Proxy:
    """Return a proxy. ValueError if no connection can be made through it."""
    try:
        usable = httpx2.Proxy(
            proxy, ssl_context=context if urlsplit(proxy).scheme == "https" else None
        )
        httpx2.AsyncHTTPTransport(proxy=usable)
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        parts = urlsplit(url)
        # The message leaves out the proxy's address, which may hold a password.
        raise ValueError(
            f"{_variable(proxy, parts.scheme)} names a proxy that cannot be used for {url}: name "
            f"one of the form http://HOST:PORT, install httpx2[socks] for a socks5:// proxy, or "
            f"add {parts.hostname} to NO_PROXY"
        ) from error
    return usable


def _variable(proxy: str, scheme: str) -> str:
    """Return the name of the variable that holds a proxy."""
    names = [f"{scheme}_proxy", "all_proxy"]
    for name in [*names, *map(str.upper, names)]:
        if (value := os.environ.get(name)) and proxy in (value, f"http://{value}"):
            return name
    return "the system's settings"
