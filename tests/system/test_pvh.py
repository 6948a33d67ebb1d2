# SPDX-License-Identifier: GPL-2.0-only
"""PVH guests: the distribution's own kernel, entered by its PVH note, on nested paging, with the stock backends; what xl does with
them, looked at from inside. Where the processor has no nested paging, a clear refusal."""
import pathlib
import re
import subprocess
import time

import machine as machines
import pytest
from rig import NOT_CPU0, domains, eventually, migrate, pages, stop_guests

CONFIG = NOT_CPU0 + """name="p"
type="pvh"
kernel="/boot/vmlinuz"
ramdisk="/boot/guest.img"
cmdline="console=hvc0 quiet address=2"
memory=192
vcpus=2
maxvcpus=4
disk=["format=raw,vdev=xvda,access=rw,target=/root/disk.img"]
vif=["bridge=xenbr0,mac=00:16:3e:00:00:02"]
on_poweroff="destroy"
on_reboot="restart"
on_crash="destroy"
"""
MODES = NOT_CPU0 + """name="modes"
type="pvh"
kernel="/root/modes"
memory=32
on_crash="preserve"
"""


def modes():
    """A small kernel of our own (kernels/modes.S), built here."""
    source, built = pathlib.Path(__file__).parent / "kernels/modes.S", machines.BUILD / "modes"
    subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-o", built, source, "-Wl,-n,-e,start,-Ttext=0x10000,--section-start="
                    ".note.Xen=0x1f000,-z,noexecstack,--build-id=none,--no-warn-rwx-segments"], check=True)
    return built.read_bytes()


MACHINE = dict(smp=3, append="guest_loglvl=all", files={"root/p.cfg": CONFIG, "root/modes.cfg": MODES, "root/modes": modes()})

dies = pytest.mark.stock_fails("the guest ends before its first hypercall")


def slow(test):
    """Under emulation each exit of a translated guest costs a flush of the emulator's own translations."""
    return pytest.mark.slow(dies(test))


@pytest.fixture(scope="module")
def before(shared):
    # dom0's own share in guests (handles of grants, for one) is there from the first one that ran.
    if "p" not in domains(shared.machine):
        shared.machine.dom0("xl create -q p.cfg")
    shared.machine.guest_says("^guest: ready", name="p")
    stop_guests(shared.machine)
    return pages(shared.machine)


def test_devices_from_code_of_each_size(system):
    """Instructions on device memory and ports, in 32-bit, 16-bit, real-mode, 64-bit and compatibility code."""
    system.dom0("xl create -q modes.cfg")
    said = eventually("it has said all", lambda: (text := system.dom0("xl dmesg | sed -n 's/.*(d[0-9]*) //p'")).count("\n") >= 5 and text)
    stop_guests(system)
    assert said.split("\n")[:5] == ["flat32 ok", "prot16 ok", "real16 ok", "long64 ok", "comp32 ok"]


@dies
def test_boots(system):
    system.dom0("xl create -q p.cfg")
    assert "PVH" in system.guest_says("^guest: userspace up", name="p")
    system.guest_says("^guest: ready", name="p")
    assert "Booting kernel on Xen PVH" in system.guest("dmesg | sed s,^,:,", name="p")


@dies
def test_network_and_disk(system):
    assert "2 packets received" in system.guest("ping -c 2 -W 10 192.0.2.1", name="p")
    sums = system.guest("head -c 1048576 /dev/urandom >/x; md5sum </x; dd if=/x of=/dev/xvda bs=64k conv=fsync 2>/dev/null; "
                        "echo 3 >/proc/sys/vm/drop_caches; head -c 1048576 /dev/xvda | md5sum", name="p").split()
    assert sums[0] == sums[2] and len(sums[0]) == 32


@slow
def test_boots_with_four_processors(system, before):
    system.dom0("rm /var/log/xen/console/guest-p.log; xl create -q p.cfg vcpus=4")
    system.guest_says("^guest: ready", name="p")
    assert system.guest("grep -c ^processor /proc/cpuinfo", name="p").strip() == "4"
    # Each processor takes its own timer's and the others' events.
    interrupts = system.guest("cat /proc/interrupts", name="p")
    for row in ("timer", "callfuncsingle"):
        counts = [int(re.search(rf"^ *\d+: *((?:\d+ +){{4}}).*{row}{n}$", interrupts, re.M).group(1).split()[n]) for n in range(4)]
        assert min(counts) > 0, interrupts


@slow
def test_pause_holds_its_clock_ticks(system):
    ticks = "cut -d. -f1 /proc/uptime"
    system.dom0("xl pause p")
    assert "p" in domains(system)["p"][2]
    ran = system.dom0("xl list p | awk 'NR == 2 { print $6 }'")
    system.dom0("sleep 2")
    assert system.dom0("xl list p | awk 'NR == 2 { print $6 }'") == ran
    system.dom0("xl unpause p")
    first = int(system.guest(ticks, name="p"))
    eventually("its clock goes on", lambda: int(system.guest(ticks, name="p")) > first)


@slow
def test_memory_down_and_up(system):
    def total():
        return int(system.guest("grep MemTotal /proc/meminfo", name="p").split()[1])
    full = total()
    free = system.free_memory()
    system.dom0("xl mem-set p 150")
    eventually("it has less", lambda: total() < full - 30 * 1024)
    eventually("the machine has more", lambda: system.free_memory() >= free + 40)
    system.dom0("xl mem-set p 192")
    eventually("it has as much as before", lambda: total() == full)


@slow
def test_processors_down_and_up(system):
    def count():
        return int(system.guest("grep -c ^processor /proc/cpuinfo", name="p"))
    system.dom0("xl vcpu-set p 1")
    eventually("one is left", lambda: count() == 1)
    system.dom0("xl vcpu-set --ignore-host p 4")
    eventually("all four are there", lambda: count() == 4)


@slow
def test_save_and_restore(system):
    system.guest("echo kept >/note", name="p")
    system.dom0("xl save p p.save", timeout=machines.COMMAND * 3)
    assert "p" not in domains(system)
    system.dom0("xl restore p.save; rm p.save", timeout=machines.COMMAND * 3)
    assert system.guest("cat /note; grep -c ^processor /proc/cpuinfo", name="p", timeout=120).split() == ["kept", "4"]
    assert "2 packets received" in system.guest("ping -c 2 -W 10 192.0.2.1", name="p")


@slow
def test_live_migration(system):
    migrate(system, "p")


@slow
def test_reboots_and_ends(system, before):
    readies = "grep -c '^guest: ready' /var/log/xen/console/guest-p.log"
    first, ready = system.dom0("xl domid p"), int(system.dom0(readies, check=False))
    system.dom0("xl reboot p")
    eventually("another domain has its name", lambda: system.dom0("xl domid p", check=False) not in ("", first))
    eventually("it is up", lambda: int(system.dom0(readies, check=False)) > ready)
    stop_guests(system)
    assert pages(system) == before


@slow
def test_emulated_time_stamps(system, before):
    """Every reading of the counter is an exit; the guest's clock is made from it and goes on as dom0's, also after a pause on disk."""
    system.dom0("xl create -q p.cfg 'tsc_mode=\"always_emulate\"' 'disk=[]' 'vif=[]'")
    system.guest_says("^guest: ready", name="p", timeout=600)
    system.dom0("xl save p p.save && sleep 5 && xl restore p.save; rm p.save", timeout=600)
    assert re.search(r"d\d+: tsc_mode 1, emulated", system.dom0("xl debug-keys s; xl dmesg | tail -5 | sed s,^,:,"))
    # The guest's clock is read twice, and dom0's before and after each time.
    uptime, inner, outer = "cut -d\\  -f1 /proc/uptime", [], []
    for wait in (15, 0):
        outer.append(float(system.dom0(uptime)))
        inner.append(float(system.guest(uptime, name="p", timeout=120)))
        outer.append(float(system.dom0(uptime)))
        time.sleep(wait)
    assert (outer[2] - outer[1]) * 0.99 - 0.1 <= inner[1] - inner[0] <= (outer[3] - outer[0]) * 1.01 + 0.1, (inner, outer)
    stop_guests(system)
    assert pages(system) == before


@slow
def test_what_it_may_not_do_ends_it_alone(system, before):
    """A kernel that is no kernel: the guest runs into nothing and is ended, with a reason; the rest goes on."""
    system.dom0("xl create -q p.cfg 'on_crash=\"preserve\"' 'cmdline=\"console=hvc0 panic=1 init=/nothing rdinit=/nothing\"' vcpus=1 ; true")
    eventually("it has ended", lambda: "c" in domains(system).get("p", (0, 0, "c"))[2] or "p" not in domains(system))
    stop_guests(system)
    assert pages(system) == before


@slow
@pytest.mark.parametrize("cpu, qemu", [("qemu64,+svm,+npt", "10"), ("EPYC", "10"), ("Opteron_G5", "10"), ("max,-smap,-pku", "system")])
def test_on_other_processors(boot, cpu, qemu):
    with boot(cpu=cpu, qemu=qemu, files={"root/p.cfg": CONFIG}) as machine:
        machine.boot()
        machine.dom0("xl create -q p.cfg")
        machine.guest_says("^guest: ready", name="p", timeout=300)
        assert machine.guest("grep -c ^processor /proc/cpuinfo", name="p").strip() == "2"


def test_without_nested_paging(boot):
    with boot(cpu="max,-svm", name="pvh-without-svm", files={"root/p.cfg": CONFIG}) as machine:
        machine.boot()
        assert "hvm" not in machine.info()["xen_caps"]
        said = machine.dom0("xl create p.cfg 2>&1; echo exit $?")
        assert "neither hap nor shadow paging available" in said and "exit 0" not in said
        assert list(domains(machine)) == ["Domain-0"]
