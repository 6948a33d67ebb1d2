# SPDX-License-Identifier: GPL-2.0-only
"""How much memory a domain has, as xl says, as the hypervisor counts and as the domain itself sees: the three never differ."""
import re

import pytest
from rig import domains, eventually, pages, start_guest, stop_guests

BALLOON = "/sys/devices/system/xen_memory/xen_memory0"
MIB = 1024  # KiB
SLACK = 1 * MIB  # what xl allows a domain above its target


def accounts(system, name):
    """xentop's (memory, limit) of a domain in KiB, which are the hypervisor's own counts."""
    row = next(line.split() for line in system.dom0("xentop -b -i 1 -f").splitlines() if line.split()[:1] == [name])
    return int(row[4]), int(row[6])


def inside(system):
    """(what the guest's balloon thinks the guest has, what its kernel manages) in KiB."""
    return tuple(int(number) for number in re.findall(r"\d+", system.guest(f"cat {BALLOON}/info/current_kb; sed -n 1p /proc/meminfo")))


def has(system, megabytes, name="guest"):
    eventually(f"{name} has {megabytes} MiB", lambda: accounts(system, name)[0] == megabytes * MIB)


def refused(system, command, why):
    output = system.dom0(f"{command} 2>&1 && echo accepted; true")
    assert "accepted" not in output and re.search(why, output), output


@pytest.fixture(scope="module")
def before():
    return {}


def test_guest_starts_with_less_than_it_may_have(system, before):
    before["pages"] = pages(system)
    start_guest(system, "guest", "memory=128", "maxmem=256")
    assert accounts(system, "guest") == (128 * MIB, 128 * MIB + SLACK)
    assert domains(system)["guest"][0] == 128
    balloon, before["managed"] = inside(system)
    assert balloon == 128 * MIB
    assert 64 * MIB < before["managed"] < 128 * MIB


def test_totals_add_up(system, before):
    total, free, claimed, _ = pages(system)
    info = system.info()
    assert (int(info["total_memory"]), int(info["free_memory"]), int(info["outstanding_claims"])) == (total // 256, free // 256, 0)
    assert claimed == 0
    of_domains = sum(accounts(system, name)[0] // 4 for name in ("Domain-0", "guest"))
    own = total - free - of_domains
    assert 0 < own < 64 * 256, "what the hypervisor has for itself"
    before_own = before["pages"].total - before["pages"].free - 1024 * 256
    assert 0 <= own - before_own < 256, "what it needs for a guest"


def test_guest_grows_to_all_it_may_have(system, before):
    free = pages(system).free
    system.dom0("xl mem-set guest 256")
    has(system, 256)
    balloon, managed = inside(system)
    assert balloon == 256 * MIB
    assert managed - before["managed"] == 128 * MIB
    assert free - pages(system).free == 128 * 256
    system.guest(f"mkdir -p /fill && mount -t tmpfs -o size=160m none /fill && "
                 "dd if=/dev/zero of=/fill/all bs=1M count=150 && rm /fill/all && umount /fill")


def test_target_beyond_the_maximum_is_refused(system):
    refused(system, "xl mem-set guest 300", "memory_dynamic_max must be less than or equal to memory_static_max")
    assert accounts(system, "guest") == (256 * MIB, 256 * MIB + SLACK)
    assert system.dom0(f"xenstore-read /local/domain/$(xl domid guest)/memory/target").strip() == str(256 * MIB)


def test_maximum_below_the_target_is_refused(system):
    refused(system, "xl mem-max guest 200", "memory_static_max must be greater")
    assert accounts(system, "guest") == (256 * MIB, 256 * MIB + SLACK)


def test_maximum_moves(system):
    system.dom0("xl mem-max guest 320")
    assert accounts(system, "guest") == (256 * MIB, 320 * MIB + SLACK)
    system.dom0("xl mem-set guest 300")  # more than the guest's kernel was made for: allowed, without effect
    system.dom0("xl mem-set guest 192 && xl mem-max guest 192")
    has(system, 192)
    refused(system, "xl mem-set guest 256", "memory_dynamic_max must be less than or equal to memory_static_max")
    system.dom0("xl mem-max guest 256")
    assert inside(system)[0] == 192 * MIB


def test_guest_cannot_take_more_than_its_limit(system):
    """Its balloon is told to: it gets what the limit leaves, and not a page more."""
    system.dom0("xl mem-set guest 160")
    has(system, 160)
    limit = accounts(system, "guest")[1]
    assert limit == 160 * MIB + SLACK
    system.guest(f"echo {240 * MIB} >{BALLOON}/target_kb")
    eventually("all that is allowed", lambda: accounts(system, "guest")[0] == limit)
    assert inside(system)[0] == limit
    system.dom0("xl mem-set guest 161 && xl mem-set guest 160")
    has(system, 160)


def test_nothing_drifts(system):
    """Many rounds; then the hypervisor, the guest and the machine's free memory agree to the page."""
    free, rounds = pages(system).free, (131, 200, 129, 256, 144, 160)
    for megabytes in rounds:
        system.dom0(f"xl mem-set guest {megabytes}")
        has(system, megabytes)
    assert inside(system)[0] == accounts(system, "guest")[0] == 160 * MIB
    assert pages(system).free == free


def test_dom0_gives_and_takes(system):
    def managed():
        return int(re.search(r"MemTotal: +(\d+)", system.dom0("cat /proc/meminfo"))[1])
    free, of_dom0 = pages(system).free, managed()
    system.dom0("xl mem-set 0 960")
    has(system, 960, "Domain-0")
    assert domains(system)["Domain-0"][0] == 960
    assert of_dom0 - managed() == 64 * MIB
    assert int(system.dom0(f"cat {BALLOON}/info/current_kb")) == 960 * MIB
    assert pages(system).free - free == 64 * 256
    refused(system, "xl mem-max 0 900", "memory_static_max must be greater")
    system.dom0("xl mem-max 0 1100")
    assert accounts(system, "Domain-0") == (960 * MIB, 1100 * MIB + SLACK)
    system.dom0("xl mem-set 0 1024")
    has(system, 1024, "Domain-0")
    assert managed() == of_dom0
    assert pages(system).free == free


def test_memory_returns(system, shared, before):
    stop_guests(system, shared.free)
    eventually("free, but for what dom0's own tables grew by", lambda: 0 <= before["pages"].free - pages(system).free <= 2)


def create_watching_claims(system, name, megabytes):
    """What xl said, what was claimed at most meanwhile (in frames), and the free memory before."""
    free = pages(system).free
    output = system.dom0(f"rm -f /run/over; figures peak /run/over >/run/peak & xl create -q -p guest.cfg 'name=\"{name}\"' memory={megabytes} 2>&1 && "
                         "xl claims; >/run/over; wait; cat /run/peak", timeout=240)
    return output, int(re.search(r"peak (\d+)", output)[1]), free


def test_memory_is_claimed_while_a_domain_is_built(system):
    """A large domain takes long enough to see its claim from outside."""
    output, peak, free = create_watching_claims(system, "large", 480)
    assert 240 * 256 < peak <= 480 * 256, output
    assert re.search(r"^large +\d+ +480 +1 +--p--- +[\d.]+ +0$", output, re.M), output
    assert pages(system).claimed == 0
    system.dom0("xl destroy large")
    eventually("free again, to the page", lambda: pages(system).free == free)


def test_claim_for_more_than_there_is_fails_early(system):
    output, peak, free = create_watching_claims(system, "larger", 1500)
    assert "xc_dom_boot_mem_init failed" in output, output
    assert peak == 0
    assert "larger" not in domains(system)
    eventually("free as before", lambda: pages(system).free == free)
