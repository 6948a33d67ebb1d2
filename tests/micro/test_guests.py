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
    check(name, smp=smp)


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
def stopping(path):
    """The machine is stopped and goes on, again and again, from when it is there: options for an emulator with this socket."""
    done = threading.Event()

    def stop():
        with socket.socket(socket.AF_UNIX) as control:
            while not done.wait(0.1) and control.connect_ex(str(path)):
                pass
            with contextlib.suppress(OSError), control.makefile("rw") as lines:
                for command in ("qmp_capabilities", *("stop", "cont") * 100000):
                    lines.write(json.dumps({"execute": command}) + "\n")
                    lines.flush()
                    while '"return"' not in (line := lines.readline()) and line:
                        pass
                    if not line or (command == "cont" and done.wait(0.002)):
                        return

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield ("-qmp", f"unix:{path},server=on,wait=off")
    finally:
        done.set()
        thread.join()


def test_interrupts_come_once_when_the_emulator_is_stopped(tmp_path):
    """QEMU (10.0) delivers an injected interrupt again when its thread is stopped before the next exit or exception; the stock
    hypervisor injects them so and fails here."""
    with stopping(tmp_path / "control") as emulator:
        check("interrupts", smp=2, emulator=emulator)
