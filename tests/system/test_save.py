# SPDX-License-Identifier: GPL-2.0-only
"""Guests saved and restored: what runs in them goes on as if nothing had been, with its disk, its connections and its time."""
import re

import pytest
from machine import Failure
from rig import domains, eventually, pages, start_guest, stop_guests

GUEST = ("memory=144", "maxmem=176", "vcpus=2")
BALLOON = "/sys/devices/system/xen_memory/xen_memory0"
# Each round of what runs in the guest all the time: a number, some of a fixed random file and the disk's block of that number.
STREAM = ("n=0; while [ ! -e /stop ]; do n=$((n+1)); echo $n; cat /chunk; "
          "{ echo $n; cat /chunk; } | dd of=/dev/xvda bs=64k count=1 iflag=fullblock seek=$((n%60)) conv=fsync,notrunc 2>>/errors; echo $n >/rounds; done")
# Looks at both clocks: whether one of them ever stepped back.
CLOCKS = ("u=0; w=0; while [ ! -e /stop ]; do read a b </proc/uptime; a=${a%.*}${a#*.}; [ $a -ge $u ] || echo uptime $u $a >>/back; u=$a; "
          "d=$(date +%s); [ $d -ge $w ] || echo wall $w $d >>/back; w=$d; echo $u >/looks; usleep 50000; done")


def number(system, file):
    """What the file says; it may be just about to be written."""
    return int(eventually(file, lambda: re.search(r"^(\d+)", system.guest(f"cat {file}; true"), re.M))[1])


def received(system):
    return int(system.dom0("cat /run/stream/length 2>/dev/null || wc -c </run/stream/data"))


def goes_on(system):
    """All that runs in the guest got further than it was; its transfer arrives."""
    rounds, looks, bytes_there = number(system, "/rounds"), number(system, "/looks"), received(system)
    eventually("disk writes", lambda: number(system, "/rounds") > rounds + 2)
    eventually("the clocks", lambda: number(system, "/looks") > looks)
    eventually("more from the network", lambda: received(system) > bytes_there)


def clock_lead(system):
    """How many seconds the guest's wall clock is ahead of dom0's: the least and the most that it can be; date shows whole seconds."""
    first = int(system.dom0("date +%s"))
    inside = int(re.search(r"^(\d{9,})", system.guest("date +%s"), re.M)[1])
    return inside - int(system.dom0("date +%s")), inside - first


def knows_the_time(system, before):
    """No second was lost or won since it started: a kernel that boots on a busy machine loses some, before it has more than ticks."""
    (least, most), (least_then, most_then) = clock_lead(system), before["lead"]
    return least - 2 <= most_then and most + 2 >= least_then


def save(system, options=""):
    system.dom0(f"xl save {options} guest /run/guest.save >/run/xl.log 2>&1 || {{ cat /run/xl.log; false; }}", timeout=240)


def restore(system, options=""):
    system.dom0(f"xl restore {options} /run/guest.save >/run/xl.log 2>&1 || {{ cat /run/xl.log; false; }}; rm /run/guest.save", timeout=240)


def memory_agrees(system, megabytes):
    row = next(line.split() for line in system.dom0("xentop -b -i 1 -f").splitlines() if line.split()[:1] == ["guest"])
    balloon = int(re.search(r"^ *(\d+)", system.guest(f"cat {BALLOON}/info/current_kb"), re.M)[1])
    return int(row[4]) == balloon == megabytes * 1024


@pytest.fixture(scope="module")
def before():
    return {}


def test_guest_starts_its_work(system, before):
    start_guest(system, "guest", *GUEST)
    before["lead"] = clock_lead(system)
    system.dom0("mkdir -p /run/stream; mkfifo /run/stream/idle; (nc -l -p 5000 <>/run/stream/idle >/run/stream/data; >/run/stream/over) & "
                "until netstat -ltn | grep -q :5000; do sleep 0.1; done")
    system.guest("dd if=/dev/urandom of=/chunk bs=1000 count=40; mkfifo /pipe; md5sum </pipe >/sum & true")
    system.guest(f"({STREAM}) | tee /pipe | nc 192.0.2.1 5000 2>>/errors & true")
    system.guest(f"({CLOCKS}) & true")
    eventually("it works", lambda: "ready" in system.guest("[ -s /rounds ] && [ -s /looks ] && echo ready; true"))
    goes_on(system)


def test_checkpoint_leaves_the_guest_running(system, before):
    domid = system.dom0("xl domid guest")
    save(system, "-c")
    assert system.dom0("xl domid guest") == domid
    assert domains(system)["guest"][1] == 2
    goes_on(system)
    assert knows_the_time(system, before)


def test_saved_guest_is_gone_and_comes_back(system, before):
    """From a checkpoint's kind of image, but the guest's own end: nothing of it is left, then all of it."""
    domid, before["free"] = system.dom0("xl domid guest"), pages(system).free
    save(system)
    assert list(domains(system)) == ["Domain-0"]
    assert pages(system).free - before["free"] >= 144 * 256
    uptime = "cut -d. -f1 /proc/uptime"
    restore(system)
    assert system.dom0("xl domid guest") != domid
    goes_on(system)
    assert int(re.search(r"^(\d+)", system.guest(uptime), re.M)[1]) > 0
    assert knows_the_time(system, before)
    assert "2\n" in system.guest("grep -c ^processor /proc/cpuinfo")
    assert memory_agrees(system, 144)


def test_guest_left_paused_by_save_goes_on(system, before):
    domid = system.dom0("xl domid guest")
    save(system, "-p")
    assert system.dom0("xl domid guest") == domid
    assert domains(system)["guest"][2] == "--p---"
    system.dom0("xl unpause guest")
    goes_on(system)
    assert knows_the_time(system, before)


def test_ballooned_guest_is_restored_paused(system, before):
    """The second time this guest is saved for good; and with less memory than it may have."""
    system.dom0("xl mem-set guest 136")
    eventually("136 MiB", lambda: memory_agrees(system, 136))
    save(system)
    restore(system, "-p")
    assert domains(system)["guest"][2] == "--p---"
    with pytest.raises(Failure, match="did not finish"):
        system.guest("true", timeout=3)
    system.dom0("xl unpause guest")
    goes_on(system)
    assert memory_agrees(system, 136)
    assert knows_the_time(system, before)
    system.dom0("xl mem-set guest 176")
    eventually("176 MiB", lambda: memory_agrees(system, 176))


def test_data_are_whole(system):
    """Over all the saves: what was sent is what came, what the disk took is what it has, no clock stepped back."""
    system.guest("touch /stop; until [ -s /sum ]; do sleep 0.1; done", timeout=120)
    eventually("the connection's end", lambda: "over" in system.dom0("ls /run/stream"))
    sent = re.search(r"^([0-9a-f]{32})", system.guest("cat /sum"), re.M)[1]
    assert system.dom0("md5sum </run/stream/data").split()[0] == sent
    rounds = number(system, "/rounds")
    whole = system.guest("echo 3 >/proc/sys/vm/drop_caches; m=$(cat /rounds); n=$((m>59?m-59:1)); s=0; while [ $n -le $m ]; do "
                         "dd if=/dev/xvda bs=64k count=1 skip=$((n%60)) 2>/dev/null | head -c $((40001+${#n})) >/a; { echo $n; cat /chunk; } | cmp - /a || echo block $n; "
                         "s=$((s+1)); n=$((n+1)); done; echo looked at $s", timeout=240)
    assert f"looked at {min(rounds, 60)}" in whole and "block" not in whole, whole
    errors = system.guest("grep -v -E \"^[01][+][01] records\" /errors; cat /back; true")
    assert "wall" not in errors and "uptime" not in errors and "rror" not in errors, errors


def test_disk_and_network_as_new(system):
    system.dom0("xl block-list guest | grep -q '51712 .* 4 ' && xl network-list guest | grep -q '00:16:3e:00:00:02'")
    assert "3 packets received" in system.guest("ping -c 3 -w 60 192.0.2.1", timeout=90)


def test_restored_guest_shuts_down(system, shared):
    system.dom0("xl shutdown -w guest", timeout=240)
    eventually("it is gone", lambda: "guest" not in domains(system))
    stop_guests(system, shared.free)


def test_memory_returns_to_the_page(system):
    """A guest restored and destroyed again and again from one image costs nothing."""
    start_guest(system, "guest", "memory=128")
    save(system)
    free = pages(system).free
    for _ in range(2):
        system.dom0("xl restore -p /run/guest.save >/dev/null 2>&1 && xl destroy guest", timeout=240)
        eventually("free to the page", lambda: pages(system).free == free)
