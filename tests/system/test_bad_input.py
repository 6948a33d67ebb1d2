# SPDX-License-Identifier: GPL-2.0-only
"""What the toolstack is given wrongly: configurations, kernels, saved guests, commands on guests that go away meanwhile. Each gives
a message and a failure, and leaves no domain and no page behind. Where damage is only seen by the guest (a flipped bit in one of its
pages), it may crash: the hypervisor may not. Seeded: the same damage every time."""
import random
import re

import machine as machines
import pytest
from machine import COMMAND, PATIENCE
from rig import domains, eventually, pages, start_guest, stop_guests

TINY = machines.BUILD / "guests" / "tiny"
if not TINY.exists():
    pytest.exit(f"{TINY} is missing: run make guests", returncode=2)
# 4 MiB: unpacking the distribution's kernel takes 8 s, so only tests of just that use it.
CONFIG = 'name="tiny"\ntype="pv"\nkernel="/root/tiny"\nmemory=4\non_poweroff="destroy"\non_reboot="destroy"\non_crash="destroy"\n'
# A try is one call: the command, what it said, how it ended, which domains there are.
TRY = """(eval "$1") >/tmp/said 2>&1 </dev/null; status=$?
cat /tmp/said; echo; echo "exit $status"; xl list | awk 'NR > 2 { print "left " $1 " " $2 }'
"""
# By number: what is half built has no name.
DESTROY_GUESTS = "for id in $(xl list | awk 'NR > 2 { print NF < 6 ? $1 : $2 }'); do xl destroy $id 2>/dev/null; done\n"
# set-byte FILE OFFSET VALUE: prints what was there.
SET_BYTE = """dd if="$1" bs=1 skip=$2 count=1 2>/dev/null | od -An -tu1
printf "\\\\$(printf %o $3)" | dd of="$1" bs=1 seek=$2 count=1 conv=notrunc 2>/dev/null
"""
# Lines after those of CONFIG, and a word of the message.
SETTINGS = [
    ("memory=", "syntax error"), ("disk=[", "syntax error"), ("vcpus=-1", "lexical error"), ("memory=-5", "lexical error"),
    ('type="nonsense"', "Invalid domain type"), ('uuid="nonsense"', "Failed to parse UUID"), ("tsc_mode=17", "invalid value 17"),
    ("vcpus=2\nmaxvcpus=1", "maxvcpus < vcpus"), ("vcpus=8193", "too many VCPUS|Invalid argument"), ("vcpus=32768", "too many VCPUS"),
    ("vcpus=100000", "too many VCPUS"), ("memory=0", "too large.*Out of memory"), ("memory=1", "Out of memory"),
    ("memory=1000000", "Out of memory"), ("memory=1099511627776", "Out of memory"),
    ('vcpus=1\ncpus="77"', "affinity map is empty"), ('vcpus=1\ncpus="none"', "Invalid pcpu range"), ("cpu_weight=0", "weight out of range"),
    ("cpu_weight=65536", "weight out of range"), ("cap=100000", "cap out of range"), ('pool="nopool"', "Illegal pool"),
    ('name="Domain-0"', 'name "Domain-0" already exists'), ('kernel="/nothere"', "No such file"), ('kernel="/tmp/empty"', "zero length"),
    ('kernel="/bin/busybox"', "no loader found|Invalid kernel"), ('ramdisk="/nothere"', "No such file"),
    ('ramdisk="/boot/vmlinuz"', "too large.*Out of memory"), ('disk=["format=nonsense,vdev=xvda,target=/x"]', "unknown value for format"),
    ('disk=["format=raw,vdev=xvda,access=rw,target=/nothere"]', "No such file"), ('vif=["bridge=nobridge"]', "."),
    ('pci=["zz"]', "unable to parse"), ('pci=["ff:1f.7"]', "passthrough not supported"), ('ioports=["fffff"]', "failed give domain access"),
    ("irqs=[100000]", "failed give domain access"), ('iomem=["fffffffffffff,1"]', "failed give domain access"),
    ("max_grant_version=7", "."), ("vmtrace_buf_kb=64", "."),
]
MACHINE = dict(smp=2, files={
    "root/tiny": TINY.read_bytes(), "root/tiny.cfg": CONFIG,
    "root/kernel.cfg": CONFIG + 'kernel="/tmp/kernel"\n', "bin/try": f"#!/bin/sh\n{TRY}", "bin/set-byte": f"#!/bin/sh\n{SET_BYTE}",
    "bin/destroy-guests": f"#!/bin/sh\n{DESTROY_GUESTS}",
    **{f"root/{number}.cfg": f"{CONFIG}{setting}\n" for number, (setting, _) in enumerate(SETTINGS)}})
SEED = 7


def attempt(system, command, timeout=COMMAND):
    """Its exit status, what it said, which domains there are besides dom0."""
    output = system.dom0(f"try '{command}'", timeout=timeout)
    status = re.search(r"^exit (\d+)$", output, re.M)
    return int(status[1]), output[:status.start()], re.findall(r"^left (\S+)", output, re.M)


def refused(system, command, says, stays=()):
    status, said, left = attempt(system, command)
    assert status not in (0, 124) and status < 128, f"{command}: exit {status}\n{said}"
    assert re.search(says, said), f"{command} says nothing of '{says}':\n{said}"
    assert left == list(stays), f"{command} leaves {left}\n{said}"


@pytest.fixture(autouse=True)
def no_leak(system):
    """Every test gives back every page. The caches of the hypervisor's heap fill with the first domains: those come before."""
    if not hasattr(system, "warm"):
        for _ in range(3):
            system.dom0("xl create -q -p tiny.cfg && xl destroy tiny")
        system.warm = True
    before = pages(system)
    yield
    stop_guests(system)
    eventually("every page is back and nothing is claimed", lambda: pages(system) == before)


def test_settings_are_refused(system):
    system.dom0(": >/tmp/empty")
    wrong = []
    for number, (setting, says) in enumerate(SETTINGS):
        try:
            refused(system, f"xl create -q {number}.cfg", says)
        except AssertionError as error:
            wrong.append(f"{setting}: {error}")
            stop_guests(system)
    assert not wrong, "\n".join(wrong)


def test_names_and_ids_in_use(system):
    system.dom0("xl create -q tiny.cfg")
    refused(system, "xl create -q tiny.cfg", 'name "tiny" already exists', stays=["tiny"])
    refused(system, "xl rename tiny Domain-0", "already exists", stays=["tiny"])
    refused(system, "xl create -q nothere.cfg", "[Ff]ailed to (read|parse)|No such file", stays=["tiny"])


COMMANDS = ["destroy {}", "shutdown {}", "save {} /run/none", "mem-set {} 64", "mem-max {} 64", "vcpu-set {} 1",
            "vcpu-pin {} 0 0", "sched-credit2 -d {} -w 5", "block-attach {} /root/disk.img,raw,xvdb,rw",
            "network-attach {}", "dump-core {} /run/none", "trigger {} nmi", "sysrq {} b", "rename {} x", "domname {}", "console {}",
            "migrate {} localhost", "cpupool-migrate {} Pool-0"]


def test_commands_on_nobody(system):
    for command in COMMANDS:
        for who in ("nobody", "7777", "40000") if command.startswith("destroy") else ("nobody",):
            if command.startswith("domname"):
                who = "7777"
            refused(system, "timeout 20 xl " + command.format(who), ".")
    for command in ("pause 7777", "unpause 7777"):  # xl only says it: its exit status is 0 whatever happens
        assert re.search("7777.*No such process|domid=7777", attempt(system, f"xl {command}")[1])
    for command in ("nonsense", "pause", "vcpu-pin 0 0 77", "vcpu-pin 0 99 0", "mem-set 0 nonsense", "sched-credit2 -d 0 -w 0", "debug-keys",
                    "vcpu-set 0 nonsense", "restore /nothere"):
        refused(system, f"xl {command}", ".")


def kernels(count, seed):
    """Damaged kernels, as shell commands that make /tmp/kernel of the distribution's own, and whether xl may take them."""
    draw = random.Random(seed)
    size = machines.KERNEL.stat().st_size
    for length in (1, 511, 512, 0x1f0, 0x260, 4096, draw.randrange(4096, 65536), *(draw.randrange(65536, size) for _ in range(count // 100))):
        yield f"head -c {length} /boot/vmlinuz >/tmp/kernel", False
    yield "head -c 100000 /dev/urandom >/tmp/kernel", False
    yield "head -c 4096 /root/tiny >/tmp/kernel", False
    tiny = TINY.stat().st_size
    for where in [*(draw.randrange(0, 64) for _ in range(count // 3)), *(draw.randrange(64, 4096) for _ in range(count // 3)),
                  *(draw.randrange(4096, tiny) for _ in range(count // 3))]:
        yield f"cp /root/tiny /tmp/kernel; set-byte /tmp/kernel {where} {draw.randrange(256)}", True


def no_kernels(system, count, seed):
    started = 0
    for make, may_start in kernels(count, seed):
        system.dom0(make)
        status, said, left = attempt(system, "timeout 60 xl create -q kernel.cfg")
        assert status not in (124,) and status < 128, f"{make}: exit {status}\n{said}"
        assert may_start or (status and not left), f"{make}: starts"
        if status:
            assert re.search(r"error|fail|invalid", said, re.I) and not left, f"{make}: leaves {left}\n{said}"
        else:
            started += 1
            system.dom0("xl destroy tiny 2>/dev/null; rm -f /tmp/kernel", check=False)  # it may have ended by itself
    return started


def test_damaged_kernels(system):
    no_kernels(system, 3, SEED)


@pytest.mark.slow
def test_more_damaged_kernels(system):
    no_kernels(system, 300, SEED + 1)


def test_real_kernel_in_too_little_memory(system):
    refused(system, 'xl create -q guest.cfg "disk=[]" "vif=[]" memory=40', "too large.*Out of memory")


def saved_guest(system):
    """A guest in /run/guest.save, made once: its length and where the first page's contents begin, roughly."""
    if not hasattr(system, "saved"):
        start_guest(system, "guest", "memory=104", "disk=[]", "vif=[]")
        system.dom0("xl save guest /run/guest.save", timeout=COMMAND * 2)
        system.saved = int(system.dom0("stat -c %s /run/guest.save"))
    return system.saved


def restore(system, file="/run/guest.save"):
    """Restores what may be damaged. It fails and leaves nothing, or there is a guest, in whatever state, which is then destroyed."""
    status, said, left = attempt(system, f"timeout {100 * PATIENCE:.0f} xl restore {file}", timeout=COMMAND * 3)
    # 139: after some damaged headers xl says what is wrong and then uses what it has just freed, on any hypervisor.
    assert status != 124 and (status < 128 or status in (139, 143)), f"exit {status}\n{said}"
    if status:
        assert re.search(r"error|fail|cannot|not|invalid|truncated|magic", said, re.I), f"no reason given: {said}"
        assert not left or status == 139, f"{left} left after:\n{said}"
    system.dom0("destroy-guests", check=False)
    return status


def test_restore_files_that_are_none(system):
    for file in ("/nothere", "/tmp", "/boot/vmlinuz", "/root/tiny.cfg", "/dev/null"):
        refused(system, f"xl restore {file}", ".")


def cuts(system, lengths):
    saved_guest(system)
    for length in lengths:
        system.dom0(f"head -c {length} /run/guest.save >/run/cut")
        assert restore(system, "/run/cut") != 0, f"takes a file cut to {length} bytes"


@pytest.mark.slow
def test_restore_files_cut_at_more_places(system):
    cuts(system, (0, 10, 40, 500, 900, 2000, 4096, random.Random(SEED).randrange(10**5, 10**6)))


def test_restore_files_cut_short(system):
    size = saved_guest(system)
    cuts(system, (846, 70000))
    # The end is the last to be missed: records after the pages. The file is made whole again from what was cut.
    system.dom0(f"tail -c 5000 /run/guest.save >/run/end; truncate -s {size - 20} /run/guest.save")
    try:
        assert restore(system) != 0, "takes a file without its end"
    finally:
        system.dom0(f"truncate -s {size - 5000} /run/guest.save; cat /run/end >>/run/guest.save")


def flips(system, places, draw):
    ended = {}
    for where in places:
        value = draw.randrange(256)
        old = int(system.dom0(f"set-byte /run/guest.save {where} {value}"))
        try:
            ended[where] = restore(system)
        except AssertionError as error:
            raise AssertionError(f"byte {where} is {value}, not {old}: {error}") from None
        finally:
            system.dom0(f"set-byte /run/guest.save {where} {old}")
    return ended


def test_restore_files_with_flipped_bytes(system):
    size = saved_guest(system)
    draw = random.Random(SEED)
    places = [0x34c, draw.randrange(0x30), draw.randrange(10**5, size - 10**5), size - draw.randrange(1, 6000)]
    ended = flips(system, places, draw)
    assert any(ended.values())
    assert restore(system) == 0, "the undamaged file is still good"


@pytest.mark.slow
def test_restore_files_with_more_flipped_bytes(system):
    size = saved_guest(system)
    draw = random.Random(SEED + 1)
    flips(system, [*(draw.randrange(0x3a0) for _ in range(20)), *(draw.randrange(0x3a0, 0x3000) for _ in range(30)),
                   *(draw.randrange(0x3000, size - 12000) for _ in range(15)), *(size - draw.randrange(1, 12000) for _ in range(35))], draw)


def test_destroyed_twice_at_once(system):
    system.dom0("xl create -q tiny.cfg; xl destroy tiny >/tmp/1 2>&1 & xl destroy tiny >/tmp/2 2>&1 & wait")
    eventually("tiny is gone", lambda: list(domains(system)) == ["Domain-0"])


MEANWHILE = ["xl save -p tiny /run/tiny.save", "xl mem-set tiny 4", "xl vcpu-set tiny 1", "xl vcpu-pin tiny all 1",
             "xl block-attach tiny /root/disk.img,raw,xvdb,rw", "xl network-attach tiny bridge=xenbr0", "xl dump-core tiny /run/tiny.core",
             "xl pause tiny; xl unpause tiny", "xl sched-credit2 -d tiny -w 100", "xl trigger tiny nmi"]


@pytest.mark.parametrize("command", [MEANWHILE[i] for i in (5, 6, 7)])
def test_destroyed_meanwhile(system, command):
    meanwhile(system, command)


@pytest.mark.slow
@pytest.mark.parametrize("command", MEANWHILE)
def test_destroyed_meanwhile_more(system, command):
    meanwhile(system, command, 6)


def meanwhile(system, command, times=2):
    """A loop of a command in one shell, guests that come and go in the other."""
    system.dom0(f"rm -f /run/stop; (while [ ! -e /run/stop ]; do {command}; done >/tmp/said 2>&1 </dev/null) & echo $! >/run/loop")
    try:
        for _ in range(times):
            system.dom0("xl create -q tiny.cfg 2>/dev/null; usleep 700000; xl destroy tiny 2>/dev/null", check=False)
            eventually("tiny is gone", lambda: not system.dom0("xl domid tiny 2>/dev/null || true").strip())
    finally:
        system.dom0(": >/run/stop; while [ -e /proc/$(cat /run/loop) ] && ! grep -q Z /proc/$(cat /run/loop)/stat 2>/dev/null; do usleep 50000; done",
                    timeout=COMMAND * 2)
    system.dom0("rm -f /run/tiny.core /run/tiny.save")


@pytest.mark.parametrize("signal", ["INT", "KILL"])
def test_create_interrupted(system, signal):
    interrupted(system, signal, 3)


@pytest.mark.slow
@pytest.mark.parametrize("signal", ["INT", "TERM", "KILL"])
def test_create_interrupted_more(system, signal):
    interrupted(system, signal, 25)


def interrupted(system, signal, times):
    """What a killed xl leaves half-built is destroyed by number, entirely (no_leak looks)."""
    draw = random.Random(f"{SEED}{signal}")
    for _ in range(times):
        wait = draw.randrange(20_000, 500_000)
        # In the foreground, where a shell does not make it deaf to SIGINT.
        system.dom0(f"rm -f /run/victim; (usleep {wait}; kill -{signal} $(cat /run/victim)) 2>/dev/null & "
                    "sh -c \"echo \\$\\$ >/run/victim; exec xl create -q tiny.cfg\" >/tmp/said 2>&1; wait; "
                    "destroy-guests", check=False)
        eventually("nothing is left", lambda: list(domains(system)) == ["Domain-0"])
    system.dom0("xl create -q tiny.cfg && xl destroy tiny")


def test_nobody_complains(system):
    complaints = system.dom0("dmesg | grep -E 'BUG|WARNING|Oops|Call Trace|general protection|segfault|blocked for' || true")
    assert complaints.strip() == ""
    assert len(system.dom0("pidof xenstored xenconsoled").split()) == 2
