# SPDX-License-Identifier: GPL-2.0-only
"""Page-table isolation (xpti=): what the processor can translate while a PV guest runs, asked of the emulator."""
import re

import micro
import pytest
from test_guests import ask, beside, check

# Addresses of ours (hypervisor/cpu/layout.h): of memory, of the frame table, of CPU 0's main stack and of its #MC stack.
MEMORY, FRAMES, STACK, IST = 0xffff830000100000, 0xffff818000000000, 0xffff820000007000, 0xffff820000000000


def look(seen):
    """Stops the machine again and again; seen: {address: [can be read], one for each time that CPU 0 was in the guest}."""
    def play(lines, done):
        def monitor(words):
            return ask(lines, "human-monitor-command", **{"command-line": words}) or ""

        ask(lines, "qmp_capabilities")
        while not done.wait(0.02):
            ask(lines, "stop")
            in_guest = re.search(r"CPL=3.*\n(?:.*\n)*CS =e033", monitor("info registers"))
            for address, answers in seen.items():
                if in_guest:
                    answers.append("Cannot access" not in monitor(f"x/1xb {address:#x}"))
            if ask(lines, "cont") is None:
                return
    return play


@pytest.mark.parametrize("name", ["descriptors", "exits", "fuzz", "iret", "multicall", "tables", "tasks", "traps", "vcpus"])
def test_guests_do_not_notice(name):
    check(name, smp=2, append="xpti", words="seconds=8 seed=11" if name == "fuzz" else "")


@pytest.mark.parametrize("option, cpu, shielded", [
    ("", micro.CPU, False), ("xpti", micro.CPU, True), ("xpti=dom0=no,domu=yes", micro.CPU, False), ("", "Skylake-Client", True),
    ("xpti=no", "Skylake-Client", False)])
def test_a_guest_runs_without_our_memory(tmp_path, option, cpu, shielded):
    """The processors that leak what rights forbid (Intel's without RDCL_NO) get it by themselves."""
    seen = {address: [] for address in (MEMORY, FRAMES, STACK, IST)}
    with beside(tmp_path / "control", look(seen)) as control:
        check("storm", words="seed=3", append=option, cpu=cpu, emulator=("-qmp", control))
    assert len(seen[IST]) >= 5 and all(seen[IST])
    for address in (MEMORY, FRAMES, STACK):
        assert set(seen[address]) == {not shielded}, f"{address:#x}: {seen[address]}"
