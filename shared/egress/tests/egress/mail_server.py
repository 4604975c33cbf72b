"""A real mail server for one test: `mail_server.py '{"tls": …}'`.

Prints its port, then what it was sent and that a session ended with QUIT, one JSON object a line. Ends when its standard
input closes.

Options: `cert` (a PEM file with key and certificate), `tls` (`implicit`, `starttls` or none), `user` and `password`,
`rcpt` (replies to recipients, by address), `data` (replies to messages, one after the other; `close` hangs up instead).
"""

import json
import socket
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

OPTIONS = json.loads(sys.argv[1])


def tell(**what):
    print(json.dumps(what), flush=True)


class Handler:
    def __init__(self):
        self.replies = list(OPTIONS.get("data", []))

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        reply = OPTIONS.get("rcpt", {}).get(address, "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server, session, envelope):
        tell(
            **{
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "message": envelope.content.decode("ascii"),
                "tls": session.ssl is not None or OPTIONS.get("tls") == "implicit",
                "user": session.auth_data and session.auth_data.login.decode(),
            }
        )
        reply = self.replies.pop(0) if self.replies else "250 2.0.0 taken"
        if reply == "close":
            server.transport.close()
        return reply

    async def handle_QUIT(self, server, session, envelope):
        tell(quit=True)
        return "221 Bye"


def authenticate(server, session, envelope, mechanism, login):
    known = (OPTIONS["user"].encode(), OPTIONS["password"].encode())
    return AuthResult(success=(login.login, login.password) == known, auth_data=login, handled=False)


def main():
    context = None
    if "cert" in OPTIONS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(OPTIONS["cert"])
    implicit, starttls = OPTIONS.get("tls") == "implicit", OPTIONS.get("tls") == "starttls"
    options = {"tls_context": context, "require_starttls": True} if starttls else {}
    if "user" in OPTIONS:
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": starttls}

    class Server(Controller):
        def factory(self):
            return SMTP(self.handler, hostname="mail.test", **options)

    # a controller wants to know its port before it listens
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(Handler(), hostname="127.0.0.1", port=port, ssl_context=context if implicit else None)
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(no_assert=True)


main()
