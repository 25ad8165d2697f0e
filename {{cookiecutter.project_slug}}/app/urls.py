"""Which URLs a setting may hold: tokens and keys must not cross a public network in clear text."""

import ipaddress
import re

import httpx

PRIVATE_NETWORKS = "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 ::1/128 fc00::/7"
PRIVATE_SUFFIXES = ".localhost .local .internal .svc .cluster.local .test .lan .home.arpa"


def is_private(host: str) -> bool:
    """Tell whether `host` is a loopback or private address, or a name of a private network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.lower().removesuffix(".")
        # `http://134744072/` is a public address in another spelling.
        if name.rpartition(".")[2][:1].isdigit():
            return False
        return "." not in name or name.endswith(tuple(PRIVATE_SUFFIXES.split()))
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ipaddress.ip_network(network) for network in PRIVATE_NETWORKS.split())


def check_url(url: str) -> str:
    """Return `url` as it is. Raises `ValueError` with what is wrong about it."""
    if not re.fullmatch(r"[!-~]+", url):
        raise ValueError("holds a space or a character that no URL has")
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("is not a URL") from None
    port = 443 if parts.port is None else parts.port
    if parts.scheme not in ("http", "https") or not parts.host or not 0 < port < 65_536:
        raise ValueError("is not a URL")
    if parts.userinfo:
        raise ValueError("carries credentials")
    if "?" in url or "#" in url:
        raise ValueError("carries a query or a fragment")
    if parts.scheme == "http" and not is_private(parts.host):
        raise ValueError("sends tokens over a public network in clear text without https://")
    return url
