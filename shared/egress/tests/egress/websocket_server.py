"""A real WebSocket server for one test: `websocket_server.py '{"close": 1008}'`.

Prints its port, then every text that it was sent, with path and headers of its handshake, and how each connection ended, one
JSON object a line. Ends when its standard input closes.

Options: `cert` (a PEM file with key and certificate), `refuse` (answers handshakes with this status and `headers`), `close`
(closes with this code after a text), `greeting` (sends this many bytes before anything else).
"""

import asyncio
import json
import ssl
import sys
from http import HTTPStatus

from websockets.asyncio.server import serve

OPTIONS = json.loads(sys.argv[1])


def tell(**what):
    print(json.dumps(what), flush=True)


def refuse(connection, request):
    if "refuse" in OPTIONS:
        response = connection.respond(HTTPStatus(OPTIONS["refuse"]), "sorry")
        response.headers.update(OPTIONS.get("headers", {}))
        return response


async def talk(connection):
    if "greeting" in OPTIONS:
        await connection.send("x" * OPTIONS["greeting"])
    text = await connection.recv()
    request = connection.request
    tell(path=request.path, headers={name.lower(): value for name, value in request.headers.raw_items()}, text=text)
    if "close" in OPTIONS:
        await connection.close(OPTIONS["close"], "as the test says")
    await connection.wait_closed()
    tell(closed=connection.protocol.close_rcvd and connection.protocol.close_rcvd.code)


async def main():
    context = None
    if "cert" in OPTIONS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(OPTIONS["cert"])
    async with serve(talk, "127.0.0.1", 0, ssl=context, process_request=refuse, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
