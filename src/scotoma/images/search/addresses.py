"""Which addresses a stranger's URL may lead to: those of the public internet, and no other.

A URL that a search engine or a model has named must not make this machine ask itself, its neighbours or its cloud's
metadata service.

>>> is_public("93.184.215.14"), is_public("127.0.0.1"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
(True, False, False, False)
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NEVER: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = (
    ipaddress.IPv4Network("168.63.129.16/32"),
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv6Network("fec0::/10"),
)
"""Public to Python, but a metadata service (Azure's, Oracle's), or a site's own."""


def is_public(address: str) -> bool:
    """Whether an IP address, in text, is a public one; False for what is no address. An IPv6 address that stands for an
    IPv4 one (mapped, 6to4, Teredo, NAT64) must be public in both."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(
        each.is_global
        and not each.is_multicast
        and not each.is_reserved
        and not any(each in network for network in _NEVER)
        for each in (parsed, *_embedded(parsed))
        # A mapped address is no public one by itself; what it stands for decides.
        if not (isinstance(each, ipaddress.IPv6Address) and (each.ipv4_mapped is not None or each in _NAT64))
    )


def _embedded(address: Address) -> list[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour]
    found += address.teredo or ()
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
