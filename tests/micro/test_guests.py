# SPDX-License-Identifier: GPL-2.0-only
"""Each micro guest as dom0, on machines that differ. TENON_HYPERVISOR=PATH tests another hypervisor: the stock one is what the
guests' expectations were taken from, and passes too, but for `exits` and `fuzz`: under this emulator it ends PVH guests for
instructions that a processor would have run; and for `tasks`, whose switches by the emulator leave CR0.TS off there."""
import contextlib
import json
import re
import socket
import subprocess
import threading

import pytest

import micro

NAMES = sorted(file.parent.name for file in (micro.ROOT / "guests").glob("*/main.c"))


def check(name, **options):
    assert (micro.GUESTS / name).exists(), f"{name} is not built: make guests"
    report = micro.run(name, **options)
    assert report.trouble is None, f"{report.trouble}\n" + "\n".join(report.text.splitlines()[-25:])


@pytest.fixture(scope="session", autouse=True)
def hypervisor():
    if not micro.HYPERVISOR.exists():
        pytest.exit(f"{micro.HYPERVISOR} is missing: run make", returncode=2)


@pytest.mark.parametrize("name, smp", [(name, smp) for name in NAMES for smp in (1, 2)
                                       if name != "fuzz" and (name, smp) != ("bench", 2)])  # it counts on one
def test_guest(name, smp):
    # On one processor nothing heals an interrupt that the emulator loses at VMRUN (docs/testing.md), unless its clock counts.
    check(name, smp=smp, counted=3 if (name, smp) == ("interrupts", 1) else None)


def test_no_branch_that_a_guest_could_steer():
    """Indirect branches go through cpu/thunk.S; calls into firmware's code, which is not ours, and boot code need not."""
    code = subprocess.run(["objdump", "-d", "-j", ".text", micro.ROOT / "build" / "tenon-syms"], stdout=subprocess.PIPE, text=True, check=True)
    function, found = None, []
    for line in code.stdout.splitlines():
        if start := re.match(r"[0-9a-f]+ <(.+)>:$", line):
            function = start.group(1)
        elif re.search(r"\s(?:call|jmp)q?\s+\*", line):
            found.append(function)
    assert found == ["foreign_call_on"]


@pytest.mark.parametrize("smp", [1, 2])
def test_guests_that_want_to_break_it(smp):
    """What `make fuzz-guest` runs for longer; each run of the tests has the same seeds."""
    check("fuzz", smp=smp, words="seconds=30", append="guest_loglvl=none", deadline=micro.DEADLINE + 60)


@pytest.mark.parametrize("name", ["traps", "iret"])
def test_old_processor(name):
    """Without SMEP, SMAP, FSGSBASE, XSAVE and what else came later."""
    check(name, cpu="qemu64")


@pytest.mark.parametrize("what", ["shares", "wake"])
def test_busy_by_a_clock_that_counts_instructions(what):
    """Shares, caps and how soon a sleeper runs, where nothing that happens on our machine counts."""
    check("busy", words=f"exact {what}", counted=3)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_storm(seed):
    check("storm", smp=2, words=f"seed={seed}")


@contextlib.contextmanager
def beside(path, play):
    """While the machine runs, play(a connection to its socket `path`, an event that says when to stop)."""
    done = threading.Event()

    def act():
        with socket.socket(socket.AF_UNIX) as control:
            while not done.wait(0.1) and control.connect_ex(str(path)):
                pass
            with contextlib.suppress(OSError), control.makefile("rw") as lines:
                play(lines, done)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield f"unix:{path},server=on,wait=off"
    finally:
        done.set()
        thread.join()


def ask(lines, command, **arguments):
    """What the emulator's control socket answers; None: it has ended."""
    lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    lines.flush()
    while '"return"' not in (line := lines.readline()) and line:
        pass
    return json.loads(line)["return"] if line else None


def stop_and_go_on(lines, done):
    for command in ("qmp_capabilities", *("stop", "cont") * 100000):
        if ask(lines, command) is None or (command == "cont" and done.wait(0.002)):
            return


def trap_a_processor(lines, done):
    """The debugger's protocol: an endless loop where no code is needed any more, and a processor there with its interrupts off."""
    def send(text):
        lines.write(text)
        lines.flush()

    def answer():
        text = ""
        while not (match := re.search(r"\$([^#]*)#..$", text)) and (character := lines.read(1)):
            text += character
        send("+")
        return match.group(1) if match else ""

    def ask(packet):
        send(f"${packet}#{sum(packet.encode()) % 256:02x}")
        return answer()

    def register(number):
        return int.from_bytes(bytes.fromhex(ask(f"p{number:x}")), "little")

    names = subprocess.run(["nm", "-n", micro.ROOT / "build" / "tenon-syms"], stdout=subprocess.PIPE, text=True, check=True).stdout
    address = int(re.search(r"^(\w+) T assertion_failed$", names, re.M).group(1), 16)
    # Between CLGI and STGI not even an NMI would reach it, so it could not answer.
    deaf = range(*(int(bound, 16) for bound in re.search(r"^(\w+) T svm_resume\n(\w+) ", names, re.M).groups()))
    rip, flags, cs = 16, 17, 18
    while True:  # it stands still when we connect
        send("$c#63")
        if done.wait(3):
            return
        send("\x03")
        answer()
        for thread in (2, 1):
            ask(f"Hg{thread}")
            where = register(rip)
            if register(cs) & 3 == 0 and where >> 40 == address >> 40 and where not in deaf:
                ask(f"M{address:x},2:ebfe")
                ask(f"P{rip:x}={address.to_bytes(8, 'little').hex()}")
                ask(f"P{flags:x}=02000000")
                ask("D")
                return


def test_interrupts_come_once_when_the_emulator_is_stopped(tmp_path):
    """QEMU (10.0) delivers an injected interrupt again when its thread is stopped before the next exit or exception; the stock
    hypervisor injects them so and fails here."""
    with beside(tmp_path / "control", stop_and_go_on) as control:
        check("interrupts", smp=2, emulator=("-qmp", control))


def test_watchdog_finds_a_stuck_processor(tmp_path):
    with beside(tmp_path / "debugger", trap_a_processor) as debugger:
        report = micro.run("fuzz", smp=2, words="seconds=60", append="guest_loglvl=none watchdog watchdog_timeout=2", deadline=60,
                           emulator=("-gdb", debugger))
    stuck = re.search(r"Panic: CPU (\d) is stuck: no timer served for 3 seconds", report.text)
    assert stuck and f"CPU {stuck.group(1)} was here:\n(XEN) rip" in report.text
    assert re.search(rf"CPU {stuck.group(1)} was here:\n\(XEN\) rip \w+ assertion_failed\+0", report.text)
