"""Starts a command and writes down every byte to it and from it: mcp_tap.py FILE COMMAND..., FILE.in and FILE.out."""

import os
import subprocess
import sys
import threading

name, *command = sys.argv[1:]
process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def pump(source, target, file):
    with open(file, "wb", buffering=0) as log:
        while chunk := os.read(source, 1 << 16):
            log.write(chunk)
            try:
                while chunk:
                    chunk = chunk[os.write(target, chunk) :]
            except BrokenPipeError:
                return


def forth():
    pump(0, process.stdin.fileno(), f"{name}.in")
    process.stdin.close()


threading.Thread(target=forth, daemon=True).start()
pump(process.stdout.fileno(), 1, f"{name}.out")
os._exit(process.wait() % 256)
