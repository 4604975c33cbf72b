"""Runs an emulator of AWS: run.py moto|ministack PORT FILE [PID]

It ends with the process PID, or, without one, when its standard input closes. FILE says how many seconds the test has let
pass; the queues count them in, so that a test need not wait for a message.
"""

import json
import os
import sys
import threading
import time

which, port, ahead, *parent = sys.argv[1:]


def passed():
    try:
        with open(ahead, encoding="ascii") as file:
            return float(file.read() or 0)
    except FileNotFoundError:
        return 0.0


def stop_with_the_test():
    while sys.stdin.buffer.read(1024):
        pass
    os._exit(0)


def stop_with(process):
    try:
        while True:
            os.kill(process, 0)
            time.sleep(1)
    except ProcessLookupError:
        os._exit(0)


watch = (stop_with, [int(parent[0])]) if parent else (stop_with_the_test, [])
threading.Thread(target=watch[0], args=watch[1], daemon=True).start()


def know_conditions():
    """What AWS evaluates and ministack does not: dynamodb:LeadingKeys, kms:EncryptionContext, and the batch calls of SQS,
    which need the permission for one message and have none of their own.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    """
    from ministack.core import iam_actions

    action_of, context_of = iam_actions.extract_iam_action, iam_actions.request_tag_context

    def action(service, *rest):
        found = action_of(service, *rest)
        return found.removesuffix("Batch") if found and service == "sqs" else found

    def values(keys):
        return [value for key in keys for value in key.get("pk", {}).values()]

    def leading_keys(body):
        """The partition keys that a request names, of every row that it names."""
        if "TransactItems" in body:
            writes = [write for item in body["TransactItems"] for write in item.values()]
            return values(write.get("Item") or write.get("Key") for write in writes)
        if "RequestItems" in body:
            return values(key for table in body["RequestItems"].values() for key in table["Keys"])
        if "KeyConditionExpression" in body:
            # the index has a partition key of another name, with the account first: nobody is held to that here
            return [] if "IndexName" in body else list(body["ExpressionAttributeValues"].get(":pk", {"S": "?"}).values())
        return values([body.get("Item") or body.get("Key") or {}])

    def context(service, iam_action, body, params):
        found = context_of(service, iam_action, body, params)
        asked = json.loads(body) if body[:1] == b"{" else {}
        if service == "dynamodb" and (keys := leading_keys(asked)):
            found["dynamodb:LeadingKeys"] = keys
        if service == "kms":
            for name, value in asked.get("EncryptionContext", {}).items():
                found[f"kms:EncryptionContext:{name}"] = value
        return found

    iam_actions.extract_iam_action, iam_actions.request_tag_context = action, context


if which == "moto":
    import logging

    import moto.backends as backends
    import moto.sqs.models as sqs
    from moto.dynamodb.responses import DynamoHandler
    from moto.server import main
    from werkzeug.serving import WSGIRequestHandler

    # moto looks at a condition and writes in two steps, in as many threads as there are requests; DynamoDB in one
    one_at_a_time = threading.Lock()
    act = DynamoHandler.call_action

    def act_alone(self):
        with one_at_a_time:
            return act(self)

    DynamoHandler.call_action = act_alone

    # a connection and a thread for each request, and a look into its folder, are half of what moto does
    WSGIRequestHandler.protocol_version, WSGIRequestHandler.disable_nagle_algorithm = "HTTP/1.1", True
    modules = list(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules

    seconds, millis = sqs.unix_time, sqs.unix_time_millis
    sqs.unix_time = lambda *args: seconds(*args) + passed()
    sqs.unix_time_millis = lambda *args: millis(*args) + passed() * 1000
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    main(["-H", "127.0.0.1", "-p", port])
else:
    os.environ.update(GATEWAY_PORT=port, LOG_LEVEL="ERROR", MINISTACK_HOST="127.0.0.1")
    import ministack.services.sqs as sqs

    class Later:
        def __getattr__(self, name):
            return getattr(time, name)

        def time(self):
            return time.time() + passed()

    sqs.time = Later()
    know_conditions()
    from ministack.app import main

    sys.argv = ["ministack"]
    main()
