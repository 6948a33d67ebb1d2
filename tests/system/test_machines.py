# SPDX-License-Identifier: GPL-2.0-only
"""dom0 on machines of other sizes and kinds: it boots, sees what is there, and reboots the machine."""
import pytest


@pytest.mark.parametrize("options", [
    pytest.param({"cpu": "qemu64"}, id="qemu64"),
    pytest.param({"smp": 1}, id="one-cpu"),
    pytest.param({"smp": 4}, id="four-cpus", marks=pytest.mark.slow),
    pytest.param({"smp": 8}, id="eight-cpus", marks=pytest.mark.slow),
    pytest.param({"mem": 1024, "dom0_mem": 512}, id="1-GiB", marks=pytest.mark.slow),
    pytest.param({"mem": 16384, "append": "bootscrub=0"}, id="16-GiB"),  # unscrubbed: our own machine need not hold it all
    pytest.param({"qemu": "system", "cpu": "max,-smap"}, id="installed-qemu"),  # QEMU 7.2's #GP frames break dom0 under SMAP
])
def test_dom0_boots_and_reboots(boot, options):
    machine = boot(**options).boot()
    info = machine.info()
    smp, mem = options.get("smp", 2), options.get("mem", 2048)
    assert int(info["nr_cpus"]) == smp
    assert mem * 0.97 <= int(info["total_memory"]) <= mem
    assert mem * 0.9 - options.get("dom0_mem", 1024) - 64 <= int(info["free_memory"])
    assert f"{options.get('dom0_mem', 1024)} " in machine.dom0("xl list | grep Domain-0")
    assert int(machine.dom0("nproc")) == smp
    machine.send("reboot\n")
    assert machine.ended() == "guest-reset"
    assert not machine.triple_fault(), "the machine was reset by a triple fault, not on request"


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    pytest.param({"cpu": "qemu64"}, id="qemu64"),
    pytest.param({"smp": 1}, id="one-cpu"),
    pytest.param({"smp": 8}, id="eight-cpus"),
    pytest.param({"mem": 1024, "dom0_mem": 512}, id="1-GiB"),
    pytest.param({"qemu": "system", "cpu": "max,-smap"}, id="installed-qemu"),
])
def test_guest_runs(boot, options):
    machine = boot(**options).boot()
    machine.dom0("xl create -q guest.cfg")
    machine.guest_says("^guest: ready")
    assert "3 packets received" in machine.guest("ping -c 3 -w 60 192.0.2.1", timeout=90)


@pytest.mark.slow
def test_guest_with_several_vcpus(boot):
    machine = boot(smp=4).boot()
    machine.dom0("xl create -q guest.cfg vcpus=4")
    assert "4 CPU" in machine.guest_says("^guest: userspace up")
    machine.guest_says("^guest: ready")
    machine.guest("for i in 1 2 3 4; do (seq 20000 | md5sum) & done; wait", timeout=120)


@pytest.mark.slow  # the emulator forgets all translations at each change of tables: two minutes
def test_isolated_guests(boot):
    """On a processor that leaks what rights forbid, dom0 and guests run on tables without our memory, whatever they do."""
    machine = boot(cpu="Skylake-Client", dom0_vcpus=2).boot()
    assert "page-table isolation 1 for dom0, 1 for others" in machine.log.read_text(errors="replace")
    machine.dom0("xl create -q guest.cfg vcpus=2")
    machine.guest_says("^guest: ready")
    machine.guest("for i in 1 2 3; do (seq 2000 | md5sum) & done; wait", timeout=120)
    assert "3 packets received" in machine.guest("ping -c 3 -w 60 192.0.2.1", timeout=90)
