"""Says whenever a process that has this on its path asks another machine for anything."""

import sys

HERE = {"127.0.0.1", "::1", "localhost", "0.0.0.0", None}


def watch(event, arguments):
    """An audit hook: names that are looked up, and addresses that are connected to."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in HERE:
        sys.stderr.write(f"ASKED ELSEWHERE: {host}\n")


sys.addaudithook(watch)
