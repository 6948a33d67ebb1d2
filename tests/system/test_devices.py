# SPDX-License-Identifier: GPL-2.0-only
"""Disks and network cards that come, change and go while guests run; what is written on one side is read on the other."""
import re

import pytest
from rig import eventually, start_guest, stop_guests


def sum_of(text):
    return re.search(r"^([0-9a-f]{32})\b", text, re.M)[1]


def sectors(system, disk):
    """How long the guest sees a disk, None: it sees none."""
    found = re.search(r"^(\d+)", system.guest(f"cat /sys/block/{disk}/size 2>/dev/null; true", name="one"), re.M)
    return int(found[1]) if found else None


def write(system, disk, megabytes, seek=0):
    """The guest writes random data to its disk; the sum of what it wrote."""
    return sum_of(system.guest(f"dd if=/dev/urandom of=/r bs=1M count={megabytes} && dd if=/r of=/dev/{disk} bs=1M seek={seek} conv=fsync && md5sum </r",
                               name="one", timeout=120))


def read(system, disk, megabytes, skip=0):
    """The sum of what the guest reads past its page cache."""
    return sum_of(system.guest(f"echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/{disk} bs=1M skip={skip} count={megabytes} | md5sum", name="one", timeout=120))


def sum_in_dom0(system, file, megabytes, skip=0):
    return sum_of(system.dom0(f"dd if={file} bs=1M skip={skip} count={megabytes} | md5sum"))


def disks(system):
    """`xl block-list`: {virtual device number: state}."""
    rows = (line.split() for line in system.dom0("xl block-list one").splitlines()[1:])
    return {int(row[0]): int(row[3]) for row in rows if row}


def cards(system):
    """`xl network-list`: {index: (address, state)}."""
    rows = (line.split() for line in system.dom0("xl network-list one").splitlines()[1:])
    return {int(row[0]): (row[2], int(row[4])) for row in rows if row}


def wait_for_disk(system, disk, length):
    eventually(f"{disk} has {length} sectors", lambda: sectors(system, disk) == length)


def test_guests_start(system):
    """Each with a disk of its own; the first with a second one from the start: an explicit block device, for reading."""
    system.dom0("cd; truncate -s 16M second.img fixed.img; dd if=/dev/urandom of=fixed.img bs=1M count=8 conv=notrunc; losetup /dev/loop6 fixed.img")
    start_guest(system, "one", "memory=160", 'disk=["format=raw,vdev=xvda,access=rw,target=/root/disk.img", "phy:/dev/loop6,xvdb,r"]')
    start_guest(system, "two", "memory=160", 'disk=["/root/second.img,raw,xvda,rw"]', address=3)
    assert disks(system) == {51712: 4, 51728: 4}
    assert (sectors(system, "xvda"), sectors(system, "xvdb")) == (65536, 32768)


def test_disk_keeps_its_data(system):
    written = write(system, "xvda", 4, seek=10)
    assert read(system, "xvda", 4, skip=10) == written
    assert sum_in_dom0(system, "disk.img", 4, skip=10) == written


def test_disk_for_reading_is_not_written(system):
    before = sum_in_dom0(system, "fixed.img", 16)
    assert read(system, "xvdb", 16) == before
    assert "1\n" in system.guest("cat /sys/block/xvdb/ro", name="one")
    assert "refused" in system.guest("dd if=/dev/urandom of=/dev/xvdb bs=4k count=1 conv=fsync 2>/dev/null || echo refused", name="one")
    assert sum_in_dom0(system, "fixed.img", 16) == before


def test_disk_comes_while_the_guest_runs(system):
    system.dom0("truncate -s 16M added.img; xl block-attach one format=raw,vdev=xvdc,access=rw,target=/root/added.img")
    wait_for_disk(system, "xvdc", 32768)
    assert disks(system) == {51712: 4, 51728: 4, 51744: 4}
    assert "/root/added.img" in system.dom0("losetup -a")
    written = write(system, "xvdc", 4, seek=12)
    assert read(system, "xvdc", 4, skip=12) == sum_in_dom0(system, "added.img", 4, skip=12) == written


def test_several_disks_work_at_once(system):
    """Both are read while both are written; neither gets the other's data."""
    system.guest("for disk in xvda xvdc; do (dd if=/dev/urandom of=/r.$disk bs=1M count=6 && dd if=/r.$disk of=/dev/$disk bs=64k conv=fsync && "
                 "dd if=/dev/$disk of=/dev/null bs=1M) & done; wait; echo 3 >/proc/sys/vm/drop_caches", name="one", timeout=180)
    for disk, file in (("xvda", "disk.img"), ("xvdc", "added.img")):
        written = sum_of(system.guest(f"md5sum </r.{disk}; rm /r.{disk}", name="one"))
        assert read(system, disk, 6) == sum_in_dom0(system, file, 6) == written


def test_disk_grows_under_the_guest(system):
    before = sum_in_dom0(system, "added.img", 16)
    system.dom0("truncate -s 24M added.img; losetup -c $(losetup -a | sed -n 's/:.*added.img$//p')")
    wait_for_disk(system, "xvdc", 49152)
    written = write(system, "xvdc", 4, seek=20)
    assert read(system, "xvdc", 4, skip=20) == sum_in_dom0(system, "added.img", 4, skip=20) == written
    assert read(system, "xvdc", 16) == before


def test_disk_goes_while_the_guest_runs(system):
    left = sum_in_dom0(system, "added.img", 24)
    system.dom0("xl block-detach one xvdc")
    eventually("the guest's disk is gone", lambda: sectors(system, "xvdc") is None)
    assert disks(system) == {51712: 4, 51728: 4}
    eventually("its loop device, too", lambda: "added.img" not in system.dom0("losetup -a"))
    assert sum_in_dom0(system, "added.img", 24) == left
    system.dom0("xl block-detach one 51728")
    eventually("the guest's disk is gone", lambda: sectors(system, "xvdb") is None)
    assert "fixed.img" in system.dom0("losetup -a"), "a block device stays what it was"


def test_disk_comes_back(system):
    left = sum_in_dom0(system, "added.img", 24)
    system.dom0("xl block-attach one phy:/dev/loop6 xvdd w; xl block-attach one file:/root/added.img xvdc r")
    wait_for_disk(system, "xvdc", 49152)
    wait_for_disk(system, "xvdd", 32768)
    assert read(system, "xvdc", 24) == left
    written = write(system, "xvdd", 2, seek=14)
    assert sum_in_dom0(system, "fixed.img", 2, skip=14) == written


def test_disk_in_use_goes(system):
    """What has it open gets errors; the guest lives."""
    system.guest("rm -f /over; (while dd if=/dev/xvdd of=/dev/null bs=1M count=16 iflag=direct; do :; done; echo over >/over) 2>/dev/null & "
                 "until read reads rest </sys/block/xvdd/stat && [ $reads -gt 50 ]; do sleep 0.1; done", name="one")
    assert "over" not in system.guest("ls /", name="one")
    system.dom0("xl block-detach one xvdd")
    eventually("it is gone", lambda: disks(system) == {51712: 4, 51744: 4})
    eventually("its user noticed", lambda: "over" in system.guest("ls /", name="one"))
    assert read(system, "xvdc", 1) == sum_in_dom0(system, "added.img", 1)


def test_missing_disk_is_refused(system):
    for disk in ("phy:/dev/nothing", "file:/root/nothing.img"):
        output = system.dom0(f"xl block-attach one {disk} xvde w 2>&1 && echo accepted; true")
        assert "accepted" not in output and "nothing" in output, output
    assert disks(system) == {51712: 4, 51744: 4}


def pings(system, source, address):
    command = f"ping -c 2 -w 60 192.0.2.{address}"
    return "2 packets received" in (system.guest(command, name=source, timeout=90) if source else system.dom0(command, timeout=90))


@pytest.mark.parametrize("source, address", [("one", 1), ("one", 3), ("two", 1), ("two", 2), (None, 2), (None, 3)])
def test_everybody_reaches_everybody(system, source, address):
    assert pings(system, source, address)


def run(system, where, command, timeout=180):
    """In a guest, or in dom0 (None)."""
    return system.guest(command, name=where, timeout=timeout) if where else system.dom0(command, timeout=timeout)


def transfer(system, source, sink, address, megabytes):
    """Sends that much by TCP: the sums at both ends. Random data repeat with a number between the repeats, so that no piece that is
    lost, doubled or exchanged leaves the sum as it was. The receiver's input stays open, else its end would end the connection."""
    stream = f"for part in $(seq {megabytes // 4}); do echo part $part; cat /chunk; done"
    run(system, sink, "rm -f /over /idle; mkfifo /idle; (nc -l -p 5000 <>/idle | md5sum >/got; >/over) & "
                      "until netstat -ltn | grep -q :5000; do sleep 0.1; done")
    sent = run(system, source, f"dd if=/dev/urandom of=/chunk bs=1M count=4; {stream} | md5sum; {stream} | nc 192.0.2.{address} 5000")
    return sum_of(sent), sum_of(run(system, sink, "until [ -e /over ]; do sleep 0.1; done; cat /got"))


@pytest.mark.parametrize("source, sink, address, megabytes", [
    ("one", "two", 3, 16), pytest.param("one", "two", 3, 64, marks=pytest.mark.slow), ("two", None, 1, 8), (None, "one", 2, 8)])
def test_transfer_keeps_the_data(system, source, sink, address, megabytes):
    sent, got = transfer(system, source, sink, address, megabytes)
    assert sent == got


def test_card_comes_while_the_guest_runs(system):
    system.dom0("xl network-attach one mac=00:16:3e:00:00:21 bridge=xenbr0 vifname=second")
    assert cards(system) == {0: ("00:16:3e:00:00:02", 4), 1: ("00:16:3e:00:00:21", 4)}
    assert "second" in system.dom0("ls /sys/class/net/xenbr0/brif")
    eventually("the guest's card", lambda: "00:16:3e:00:00:21" in system.guest("cat /sys/class/net/eth1/address; true", name="one"))
    system.guest("ip link set eth0 down; ip link set eth1 up; ip addr add 192.0.2.4/24 dev eth1", name="one")
    assert pings(system, "one", 3) and pings(system, None, 4)


def test_card_goes_while_the_guest_runs(system):
    system.dom0("xl network-detach one 00:16:3e:00:00:21")
    eventually("the guest's card is gone", lambda: "gone" in system.guest("[ -e /sys/class/net/eth1 ] || echo gone", name="one"))
    assert cards(system) == {0: ("00:16:3e:00:00:02", 4)}
    assert "second" not in system.dom0("ls /sys/class/net")
    system.guest("ip link set eth0 up", name="one")
    assert pings(system, "one", 3) and pings(system, None, 2)


def test_devices_go_with_their_guests(system, shared):
    system.dom0("losetup -d /dev/loop6")
    stop_guests(system, shared.free)
    eventually("no loop devices", lambda: not system.dom0("losetup -a").strip())
    assert "vif" not in system.dom0("ls /sys/class/net")
