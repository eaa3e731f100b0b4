"""Listening sockets, TCP and Unix, for clients and for the admin interface."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat

from proxy.addresses import Address, TcpAddress, UnixAddress

BACKLOG = 1024
"""Connections the kernel holds for us before it refuses; it caps the number at net.core.somaxconn itself."""


async def listen_tcp(address: TcpAddress, *, shared: bool) -> list[socket.socket]:
    """Listening sockets for every address the host name has; `shared` lets further processes join the port."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from error
    sockets: list[socket.socket] = []
    port = address.port
    for family, sockaddr in dict.fromkeys((entry[0], entry[4]) for entry in found):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sockets.append(sock)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((sockaddr[0], port, *sockaddr[2:]))
            sock.listen(BACKLOG)
        except OSError as error:
            for made in sockets:
                made.close()
            raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from error
        # A port the system chose for the first family holds for the others.
        port = sock.getsockname()[1]
    return sockets


def listen_unix(address: UnixAddress) -> socket.socket:
    """A listening Unix socket, open to every local user as Postgres' own is; a dead one in its place is removed."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead_socket(address.path)
        sock.bind(address.path)
        os.chmod(address.path, 0o777)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from error
    return sock


def _remove_dead_socket(path: str) -> None:
    """Removes a socket file nobody listens on. Raises OSError where somebody does, or where it is no socket."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "the file exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def bound_address(sock: socket.socket) -> Address:
    """What a listening socket is bound to."""
    name = sock.getsockname()
    return UnixAddress(name) if isinstance(name, str) else TcpAddress(name[0], name[1])
