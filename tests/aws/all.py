"""Deploys every channel of template.yaml to an emulator, once, and tells whether each has what it needs and works.

.venv-deploy/bin/python tests/aws/all.py        after `cargo xtask lambda` and `cargo xtask python`

It takes minutes, so that no test run does it; tests/tests/stack.rs deploys five.
"""

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STACK = "bellhop"  # of samconfig.toml
KEY = "bh_admin_0123456789abcdef0123456789abcdef"
HASH = "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9"  # of its secret, as `bellhop new-key` prints it


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def receiver():
    """A webhook's far end: its URL, and what arrived."""
    arrived = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            arrived.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/", arrived


def within(seconds, what, ask):
    limit = time.monotonic() + seconds
    while not (found := ask()):
        if time.monotonic() > limit:
            sys.exit(f"after {seconds} s still not: {what}")
        time.sleep(0.5)
    return found


def call(method, url, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
        return json.load(answer)


def listens(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def have(channels, names):
    """Whether each channel has its queue, dead letters, function and event source."""
    import boto3

    sqs, functions = boto3.client("sqs"), boto3.client("lambda")
    stack = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
    resources = {it["LogicalResourceId"]: it for page in stack for it in page["StackResourceSummaries"]}
    for channel in channels:
        for queue in ("q", "dead"):
            sqs.get_queue_url(QueueName=f"{STACK}_{queue}_{names[channel]}")
        function = resources[f"Sender{channel}"]["PhysicalResourceId"]
        assert functions.get_function(FunctionName=function)["Configuration"]["Runtime"] == "provided.al2023"
        sources = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        assert [it["EventSourceArn"].endswith(f"{STACK}_q_{names[channel]}") for it in sources] == [True], channel
    return resources


def main():
    names = dict(re.findall(r"^    (\w+): \{ Id: (\w+) \}", (ROOT / "template.yaml").read_text(), re.MULTILINE))
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", SAM_CLI_TELEMETRY="0")
    os.environ.update(AWS_DEFAULT_REGION="us-east-1", AUTH="true", NO_PROXY="127.0.0.1")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        os.environ.update(HOME=home, TMPDIR=home)
        run = [ROOT / ".venv/bin/python", ROOT / "shared/aws/tests/emulators/run.py", "ministack", str(port), "ahead"]
        with open(f"{home}/log", "wb") as log, subprocess.Popen(run, cwd=home, stdin=subprocess.PIPE, stdout=log, stderr=log) as emulator:
            within(60, "the emulator listens", lambda: listens(f"{endpoint}/_ministack/health"))
            began = time.monotonic()
            sam = ROOT / ".venv-deploy/bin/sam"
            parameters = f"AdminKeyHash={HASH} AllowPrivate=127.0.0.0/8 Channels={','.join(names)}"
            subprocess.run([sam, "build"], cwd=ROOT, check=True, capture_output=True)
            deploy = [sam, "deploy", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", parameters]
            done = subprocess.run(deploy, cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stdout[-4000:] + done.stderr[-4000:])
            took = time.monotonic() - began
            resources = have(names, names)
            api = f"{endpoint}/_aws/execute-api/{resources['Api']['PhysicalResourceId']}/$default"
            url, arrived = receiver()
            call("PUT", f"{api}/v1/registrations/desk", {"channel": "webhook", "params": {"url": url}})
            call("POST", f"{api}/v1/messages", {"to": "desk", "body": "hello"})
            within(60, "the webhook arrives", lambda: arrived)
            # no number to send to: its sender sees that once it has the message, the registration and its secrets
            params = {"access_key_id": "LTAI1", "access_key_secret": "stack", "sign_name": "n", "template_code": "SMS_1"}
            call("PUT", f"{api}/v1/registrations/sms", {"channel": "aliyun_sms", "params": params})
            sent = call("POST", f"{api}/v1/messages", {"to": "sms", "body": "hello"})["deliveries"][0]["id"]
            ended = lambda: (found := call("GET", f"{api}/v1/deliveries/{sent}"))["state"] == "failed" and found
            failed = within(60, "`aliyun_sms` refuses it", ended)
            assert failed["reason"] == "invalid_params", failed
            print(f"{len(names)} channels, {len(resources)} resources, deployed in {took:.0f} s; each has its queue, dead letters, "
                  "function and event source; a message to `webhook` arrived, and one to `aliyun_sms` got to its sender")
            emulator.stdin.close()


main()
