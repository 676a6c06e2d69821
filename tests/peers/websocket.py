"""Python's websockets on both sides of the proxy.

Usage: python websocket.py serve, which prints the ports of one server for each kind of compression; and then
python websocket.py HOST PORT, which opens sockets at the names py0, py1... that the proxy has for these servers.
Prints a line per check, tab-separated: ok NAME, or failed NAME EXPECTED FOUND; then done.
"""
import asyncio
import json
import os
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

# For each server: the window, and whether it keeps its context.
KINDS = [None, (9, True), (9, False), (12, True), (15, True), (15, False)]
TEXT = "the same words again, and é日🙂 " * 40


async def echo(socket):
    try:
        async for message in socket:
            if message == "!fragments":
                await socket.send(piece for piece in ["fra", "", "gme", "nts é日🙂"])
            elif isinstance(message, str) and message.startswith("!close"):
                _, code, reason = message.split(" ", 2)
                await socket.close(int(code), reason)
            else:
                await socket.send(message)
    except ConnectionClosed:
        pass


def server_side(kind):
    if kind is None:
        return None
    bits, keeps = kind
    settings = {"memLevel": 4}
    return [ServerPerMessageDeflateFactory(not keeps, not keeps, bits, bits, settings)]


def client_side(kind):
    if kind is None:
        return None
    bits, keeps = kind
    return [ClientPerMessageDeflateFactory(not keeps, not keeps, bits, bits, {"memLevel": 4})]


async def servers():
    running = [await serve(echo, "127.0.0.1", 0, compression=None, extensions=server_side(kind), max_size=1 << 23) for kind in KINDS]
    print(*(server.sockets[0].getsockname()[1] for server in running), flush=True)
    await asyncio.Future()


failures = 0


async def check(name, body):
    global failures
    try:
        await asyncio.wait_for(body(), 30)
        print(f"ok\twebsockets: {name}", flush=True)
    except Exception as error:  # pylint: disable=broad-except
        failures += 1
        print(f"failed\twebsockets: {name}\t{type(error).__name__}: {str(error)[:200]!r}\tnone", flush=True)


def same(found, wanted):
    assert found == wanted, f"expected {str(wanted)[:80]!r}, found {str(found)[:80]!r}"


async def messages(socket):
    said = json.dumps({"type": "message.send", "body": TEXT}, ensure_ascii=False, separators=(",", ":"))
    for message in [said, said, said, "", "🙂", b"", b"\x00\xff\x04", os.urandom(5000), "é日🙂 " * 150_000]:
        await socket.send(message)
        same(await socket.recv(), message)
    # A message in fragments, some of them empty, with pings between them.
    pieces = [said[at : at + 100] for at in range(0, len(said), 100)] + [""]

    async def slowly():
        for piece in pieces:
            await (await socket.ping())
            yield piece

    await socket.send(slowly())
    same(await socket.recv(), said)
    await socket.send("!fragments")
    same(await socket.recv(), "fragments é日🙂")


async def clients(host, port):
    def to(server, path, kind, **more):
        headers = {"api-version": "2"}
        return connect(
            f"ws://py{server}/{path}", host=host, port=port, compression=None, extensions=client_side(kind),
            additional_headers=headers, max_size=1 << 23, proxy=None, **more,
        )

    for path in ["translated", "passed"]:
        for server, theirs in enumerate(KINDS):
            # Where nobody reads between them, both have to want the same.
            for mine in KINDS if path == "translated" else [None, theirs]:
                async def exchange():
                    async with to(server, path, mine) as socket:
                        await messages(socket)

                await check(f"{path}: messages, {mine} before {theirs}", exchange)

        async def closes():
            async with to(0, path, None) as socket:
                await socket.send("!close 4001 why é")
                await socket.wait_closed()
                same((socket.close_code, socket.close_reason), (4001, "why é"))

        await check(f"{path}: a close code and its reason", closes)
    print("done")


if sys.argv[1] == "serve":
    asyncio.run(servers())
else:
    asyncio.run(clients(sys.argv[1], int(sys.argv[2])))
    sys.exit(1 if failures else 0)
