"""Runs an emulator of AWS until standard input closes: run.py moto|ministack PORT FILE

FILE says how many seconds the test has let pass; the queues count them in, so that a test need not wait for a message.
"""

import os
import sys
import threading
import time

which, port, ahead = sys.argv[1:4]


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


threading.Thread(target=stop_with_the_test, daemon=True).start()

if which == "moto":
    import logging

    import moto.sqs.models as sqs
    from moto.dynamodb.responses import DynamoHandler
    from moto.server import main

    # moto looks at a condition and writes in two steps, in as many threads as there are requests; DynamoDB in one
    one_at_a_time = threading.Lock()
    act = DynamoHandler.call_action

    def act_alone(self):
        with one_at_a_time:
            return act(self)

    DynamoHandler.call_action = act_alone

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
    from ministack.app import main

    sys.argv = ["ministack"]
    main()
