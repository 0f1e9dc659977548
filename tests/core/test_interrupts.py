"""Ctrl-C in a process of its own: one press ends it even where Python swallows it, and cleaning up is left in peace."""

import os
import subprocess
import sys

import pytest

BEGIN = """
import os, signal, sys, time
from fieldtune.interrupts import heeded
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it, and so do its children

def press():
    os.kill(os.getpid(), signal.SIGINT)

"""
LOST = """
class Dies:
    def __del__(self):
        press()
        for _ in range(1000): pass

try:
    with heeded():
        dead = Dies()
        del dead  # the interrupt is raised in there, and Python writes it to stderr and goes on
        print("lost", flush=True)
        time.sleep(600)
except KeyboardInterrupt:
    print("ended")
"""
CLEANING = """
try:
    with heeded():
        try:
            press()
            time.sleep(600)
        finally:
            time.sleep(1.2)
            print("cleaned", flush=True)
except KeyboardInterrupt:
    print("ended")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
"""
THEIRS = """
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
with heeded():
    press()
    time.sleep(0.7)
print("heard", len(heard))
"""
TAKEN = """
heard = []
with heeded():
    signal.signal(signal.SIGINT, lambda *_: heard.append(1))  # as a server does that drains
    press()
    time.sleep(0.7)
print("heard", len(heard))
"""


@pytest.mark.parametrize(
    ("code", "told"),
    [(LOST, "lost\nended\n"), (CLEANING, "cleaned\nended\n"), (THEIRS, "heard 1\n"), (TAKEN, "heard 1\n")],
)
def test_one_press_ends_it_once(code: str, told: str) -> None:
    ran = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, env=os.environ)
    assert (ran.returncode, ran.stdout) == (0, told), ran.stderr
    assert ran.stderr == ""


EARLY = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Press:
    def find_spec(self, name, *_):
        if name == "typer":  # while the command line is being loaded
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Press())
sys.argv = ["fieldtune", "doctor"]
from fieldtune.cli import main
assert "typer" not in sys.modules
main()
"""


def test_a_press_while_the_command_line_is_loaded_is_one_line() -> None:
    ran = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, env=os.environ)
    assert (ran.returncode, ran.stdout) == (130, "")
    assert ran.stderr.startswith("error: interrupted")
    assert ran.stderr.count("\n") == 1
