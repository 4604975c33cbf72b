"""Puts a proxy before an emulator that injects faults in AWS's form: faults.py UPSTREAM PORT RULES

It ends when its standard input closes. Chance has a seed: the same requests meet the same faults.
https://github.com/pingedbrain/microburst
"""

import os
import random
import sys
import threading

from microburst.cli import main

upstream, port, rules = sys.argv[1:]


def stop_with_the_test():
    while sys.stdin.buffer.read(1024):
        pass
    os._exit(0)


threading.Thread(target=stop_with_the_test, daemon=True).start()
random.seed(7)
sys.exit(main(["--upstream", upstream, "--port", port, "--config", rules, "--no-resign"]))
