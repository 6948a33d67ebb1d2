#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boots one micro guest (guests/NAME) as dom0 of a hypervisor under QEMU and reads what it reports on the serial console.

By hand: tests/micro/micro.py [--hypervisor FILE] [--cpu MODEL] [--smp N] NAME... prints each console and its count."""
import argparse
import os
import pathlib
import re
import selectors
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "dom0"))
import machine as machines  # noqa: E402

GUESTS = machines.BUILD / "guests"
HYPERVISOR = pathlib.Path(os.environ.get("TENON_HYPERVISOR", machines.TENON)).resolve()
# The stock hypervisor does not survive SMAP with a PV dom0 on every emulator version: leave it out there.
CPU = os.environ.get("TENON_CPU", "max" if HYPERVISOR == machines.TENON.resolve() else "max,-smap")
DEADLINE = 60 * machines.PATIENCE
VCPUS = {"stress": 8}  # of dom0; else 2


class Report:
    """What one run said: console text, passed and failed counts (None if the guest never came to its end), seconds."""

    def __init__(self, text, seconds):
        self.text, self.seconds = text, seconds
        found = re.search(r"MICRO (\S*).*: (\d+) passed, (\d+) failed", text)
        self.passed, self.failed = (int(found[2]), int(found[3])) if found else (None, None)
        # Powering off after the report is how a run ends; before it, the hypervisor's end is a failure.
        self.dead = next(iter(re.findall(machines.DEAD, text[:found.start()] if found else text)), None)

    @property
    def trouble(self):
        """None, or one line that says what is wrong."""
        if self.dead:
            return self.dead
        if self.failed is None:
            return f"no report after {self.seconds:.0f} s; last: {(self.text.strip().splitlines() or ['nothing'])[-1]}"
        lines = re.findall(r"FAILED [^\r\n]*|unexpected trap [^\r\n]*|trap \d+ at [^\r\n]*|PANIC [^\r\n]*", self.text)
        if self.failed or not self.passed:
            return f"{self.failed} failed, {self.passed} passed; first: {(lines or ['?'])[0]}"
        return None


def run(name, *, hypervisor=HYPERVISOR, cpu=CPU, smp=1, mem=512, words="", append="", deadline=DEADLINE, counted=None, emulator=()):
    """words: further words of the guest's command line; "stock" among them tells it that the hypervisor is not Tenon.
    counted=N: the machine's clock counts instructions, 2^N ns each, so that times in it do not depend on ours (one processor)."""
    accel, clock = "tcg,thread=multi", []
    if counted is not None:  # x2APIC: QEMU 10 ends with "Bad icount read" when its registers are written while it counts
        accel, cpu, clock = "tcg,thread=single", f"{cpu},-x2apic", ["-icount", f"shift={counted},sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1"]
    if b"Tenon" not in pathlib.Path(hypervisor).read_bytes():
        words = f"stock {words}"
    command = machines.emulator_command() + [
        "-machine", "q35", "-accel", accel, *clock, *emulator, "-cpu", cpu, "-smp", str(smp), "-m", str(mem), "-nodefaults",
        "-display", "none", "-no-reboot", "-serial", "stdio", "-monitor", "none", "-kernel", str(hypervisor), "-append",
        f"console=com1 loglvl=info guest_loglvl=all dom0_mem=128M dom0_max_vcpus={VCPUS.get(name, 2)} noreboot {append}".strip(),
        "-initrd", f"{GUESTS / name} {name} {words}".strip()]
    started, text = time.monotonic(), b""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            end = started + deadline
            while (left := end - time.monotonic()) > 0:
                if not selector.select(left):
                    break
                chunk = os.read(process.stdout.fileno(), 65536)
                if not chunk:
                    break
                text += chunk
                # After a report or a crash a moment more, for the rest of the text.
                if end > time.monotonic() + 0.5 and (re.search(rb"MICRO .* failed\r?\n", text) or re.search(machines.DEAD.encode(), text)):
                    end = time.monotonic() + 0.5
    finally:
        process.kill()  # by its pid
        process.wait()
        process.stdout.close()
    return Report(text.decode(errors="replace").replace("\r", ""), time.monotonic() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="guests; none: all that are built")
    parser.add_argument("--hypervisor", type=pathlib.Path, default=HYPERVISOR)
    parser.add_argument("--cpu", default=CPU)
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--words", default="")
    parser.add_argument("--append", default="")
    parser.add_argument("--counted", type=int, metavar="N", help="the machine's clock counts instructions, 2^N ns each")
    parser.add_argument("--quiet", action="store_true", help="only the counts")
    parser.add_argument("--deadline", type=float, default=DEADLINE)
    options = parser.parse_args()
    bad = 0
    for name in options.names or sorted(file.name for file in GUESTS.iterdir()):
        report = run(name, hypervisor=options.hypervisor, cpu=options.cpu, smp=options.smp, words=options.words,
                     append=options.append, deadline=options.deadline, counted=options.counted)
        if not options.quiet:
            print(report.text)
        print(f"{name}: {report.trouble or f'{report.passed} passed'}, {report.seconds:.1f} s")
        bad += report.trouble is not None
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
