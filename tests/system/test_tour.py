# SPDX-License-Identifier: GPL-2.0-only
"""One system from power-on to power-off, with one guest in it. The tests share one boot and run in the order of the file."""
import re

import pytest
from machine import Failure, disk_check
from rig import domains, eventually


def test_dom0_boots(system):
    assert not system.triple_fault()


def test_info_tells_the_machine(system):
    info = system.info()
    assert info["xen_version"].startswith("4.17")
    assert (info["xen_major"], info["xen_minor"]) == ("4", "17")
    assert info["nr_cpus"] == "2"
    assert "xen-3.0-x86_64" in info["xen_caps"].split()
    assert info["platform_params"] == "virt_start=0xffff800000000000"
    assert info["xen_pagesize"] == "4096"
    assert 2000 <= int(info["total_memory"]) <= 2048
    assert 850 <= int(info["free_memory"]) <= 1024, "2 GiB less dom0's 1 GiB less little"


def test_list_shows_dom0(system):
    memory, vcpus, _ = domains(system)["Domain-0"]
    assert memory == 1024
    assert vcpus == 2


def test_log_can_be_read(system):
    log = system.dom0("xl dmesg | sed 's/^/log: /'")  # marked, since lines of its kind are left out as noise otherwise
    assert re.search(r"^log: .*dom0_mem=1024M", log, re.M)


def test_console_shows_no_kernel_complaint(system):
    complaints = system.dom0("dmesg | grep -E 'BUG|WARNING|Oops|Call Trace|general protection|segfault|rcu.*stall' || true")
    assert complaints.strip() == ""


def test_guest_starts(system):
    system.dom0("xl create -q guest.cfg")
    line = system.guest_says("^guest: userspace up")
    assert "PV" in line
    system.guest_says("^guest: ready")
    memory, vcpus, _ = domains(system)["guest"]
    assert (memory, vcpus) == (192, 1)


def test_guest_takes_its_memory_from_the_free(system, shared):
    taken = shared.free - system.free_memory()
    assert 192 <= taken <= 200


def test_guest_pings_dom0(system):
    assert "3 packets received" in system.guest("ping -c 3 -w 60 192.0.2.1", timeout=90)


def test_dom0_pings_guest(system):
    assert "3 packets received" in system.dom0("ping -c 3 -w 60 192.0.2.2", timeout=90)


def test_guest_disk_keeps_its_data(system):
    written, read = disk_check(system)
    assert written == read


def test_guest_is_refused_what_only_dom0_may(system):
    output = system.guest("privileged")
    assert re.search(r"privileged: 19 refused, 0 wrong", output), output
    assert "Domain-0" in domains(system)


def seconds_apart(system):
    """Between the clocks of dom0 and the guest."""
    dom0 = int(system.dom0("date +%s"))
    return abs(int(re.search(r"\d{9,}", system.guest("date +%s"))[0]) - dom0)


def test_guest_knows_the_time(system):
    assert seconds_apart(system) < 60


def test_paused_guest_stands_still(system):
    system.dom0("xl pause guest")
    try:
        assert "p" in domains(system)["guest"][2]
        with pytest.raises(Failure, match="did not finish"):
            system.guest("true", timeout=3)
    finally:
        system.dom0("xl unpause guest")
    assert "p" not in domains(system)["guest"][2]
    system.guest("true")


def test_guest_balloons_down_and_up(system):
    for megabytes in (160, 192):
        system.dom0(f"xl mem-set guest {megabytes}")
        eventually(f"{megabytes} MiB", lambda: domains(system)["guest"][0] == megabytes)
    system.guest("true")


def test_guest_survives_save_and_restore(system, shared):
    system.guest("{ echo remembered >/tmp/note; } 2>/dev/null || echo remembered >/note")
    system.dom0("xl save guest /run/guest.save >/dev/null 2>&1", timeout=180)
    assert "guest" not in domains(system)
    eventually("the memory is free again", lambda: system.free_memory() == shared.free)
    system.dom0("xl restore /run/guest.save >/dev/null 2>&1; rm /run/guest.save", timeout=180)
    assert "remembered" in system.guest("cat /tmp/note /note 2>/dev/null; true")
    assert "3 packets received" in system.guest("ping -c 3 -w 60 192.0.2.1", timeout=90)
    written, read = disk_check(system)
    assert written == read
    assert seconds_apart(system) < 60


def test_guest_reboots(system):
    before = system.dom0("xl domid guest")
    system.dom0("rm /var/log/xen/console/guest-guest.log; xl create -q guest.cfg 2>/dev/null; true")  # a second one is refused
    assert system.dom0("xl domid guest") == before
    system.dom0('echo reboot >"$(xenstore-read /local/domain/$(xl domid guest)/console/tty)"')
    eventually("a new domain", lambda: system.dom0("xl domid guest 2>/dev/null || true").strip() not in ("", before.strip()))
    system.guest_says("^guest: ready")


def test_memory_returns_after_destroy(system, shared):
    system.dom0("xl destroy guest")
    assert "guest" not in domains(system)
    eventually("the memory is free again", lambda: system.free_memory() == shared.free)


def test_guests_come_and_go_without_loss(system, shared):
    for _ in range(2):
        system.dom0("rm -f /var/log/xen/console/guest-guest.log; xl create -q guest.cfg")
        system.guest_says("^guest: userspace up")
        system.dom0("xl destroy guest")
    eventually("the memory is free again", lambda: system.free_memory() == shared.free)


def test_guest_that_powers_off_is_gone(system):
    system.dom0("rm -f /var/log/xen/console/guest-guest.log; xl create -q guest.cfg 'cmdline=\"console=hvc0 once\"'")
    system.guest_says("^guest: userspace up")
    eventually("the guest is gone", lambda: "guest" not in domains(system))


def test_guest_that_crashes_is_gone(system):
    system.dom0("rm -f /var/log/xen/console/guest-guest.log; xl create -q guest.cfg")
    system.guest_says("^guest: ready")
    system.dom0('echo "echo c >/proc/sysrq-trigger" >"$(xenstore-read /local/domain/$(xl domid guest)/console/tty)"')
    eventually("the guest is gone", lambda: "guest" not in domains(system))


@pytest.mark.ends_machine
def test_poweroff(system):
    system.send("poweroff\n")
    assert system.ended() == "guest-shutdown"
    assert not system.triple_fault()
