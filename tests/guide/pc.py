# SPDX-License-Identifier: GPL-2.0-only
"""An emulated PC that starts from a disk through its own firmware and GRUB, and the terminal at its serial port."""
import json
import pathlib
import re
import subprocess
import sys
import time

import pexpect

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "dom0"))
import machine  # noqa: E402

GUIDE = machine.BUILD / "guide"
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>]|c|\][^\x07]*\x07)")
NOISE = re.compile(r"^(?:\(XEN\)|\[ *\d+\.\d+\]|\(d\d+\)) ?.*(?:\n|$)", re.M)
HOST_LOGIN, HOST_PROMPT = "debian login: ", "root@debian:~# "


class PC(machine.Machine):
    """with PC(disk, firmware="uefi") as pc: pc.until("debian login: $")"""

    def __init__(self, disk, *, firmware="bios", name="guide", mem=3072, **options):
        super().__init__(name=name, mem=mem, firmware=firmware, disk=disk, keep=True, **options)
        self.command.remove("-no-reboot")  # the walk restarts the machine

    def until(self, pattern, timeout=machine.COMMAND, knock=None, what=None):
        """Waits for console text as expect() does and returns what was printed before it. Where nothing comes for `knock` seconds,
        presses Enter, as a person would; then not again for a while, since every Enter is answered with one more prompt."""
        if not knock:
            self.expect(pattern, timeout, what)
            return self.child.before
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            seen = self.child.logfile_read.characters
            index = self.child.expect([pattern, pexpect.TIMEOUT, pexpect.EOF, machine.DEAD], timeout=knock)
            if index == 0:
                return self.child.before
            if index != 1:
                raise machine.Failure(f"while waiting for {what or pattern}: {self.child.after if index == 3 else 'the machine stopped'}")
            if self.child.logfile_read.characters == seen:
                self.child.send("\r")
                knock = max(knock, 15 * machine.PATIENCE)
        raise machine.Failure(f"{what or pattern} did not come within {timeout:.0f} s")


def copy_disk(name):
    """A copy of the kept disk, its holes kept, for one use."""
    kept, copy = GUIDE / "debian.img", GUIDE / name
    if not kept.exists():
        raise machine.Failure(f"{kept.relative_to(machine.ROOT)} is missing: tests/guide/disk makes it")
    copy.with_name(f"{name}.vars").unlink(missing_ok=True)
    subprocess.run(["cp", "--sparse=always", str(kept), str(copy)], check=True)
    return copy


def debugfs(disk, command):
    """Reads or writes the disk's Debian while no machine runs on it. Returns what debugfs(8) said."""
    table = json.loads(subprocess.run(["sfdisk", "-J", str(disk)], check=True, capture_output=True).stdout)["partitiontable"]
    root = table["partitions"][2]["start"] * table["sectorsize"]
    done = subprocess.run(["debugfs", "-w", "-R", command, f"{disk}?offset={root}"], capture_output=True, text=True)
    return done.stdout + done.stderr


def put(disk, file, path):
    """A file of ours onto the disk, at a path that is free."""
    if "Allocated inode" not in (said := debugfs(disk, f"write {file} {path}")):
        raise machine.Failure(f"{path} could not be written to {disk.name}: {said.strip()}")


def clean(text, command="", noise=False):
    """What a command printed: no escape sequences, no echo of what was typed, of a line written over itself only its last state; and
    with no lines of kernels and hypervisor, unless the noise is what is wanted."""
    lines = re.sub(r"\r+\n", "\n", ESCAPES.sub("", text).replace(" \r", "")).split("\n")
    if command and lines[0].strip("\r").endswith(command):
        lines = lines[1:]
    text = "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)
    return text if noise else NOISE.sub("", text)
