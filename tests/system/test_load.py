# SPDX-License-Identifier: GPL-2.0-only
"""Many guests, many rounds, many hands: a crowd of the smallest guests (guests/tiny) beside a real one, guests made and destroyed over
and over, and random commands from several shells at once. In the end free memory is what it was, to the page, nothing hangs, nothing
is logged as an error. The sizes that fit a CI run first; then, marked slow, a hundred guests, 1,000 rounds, 10 minutes."""
import pathlib
import re

import machine as machines
import pytest
from machine import COMMAND, PATIENCE
from rig import domains, eventually, pages, start_guest

TINY = machines.BUILD / "guests" / "tiny"
if not TINY.exists():
    pytest.exit(f"{TINY} is missing: run make guests", returncode=2)
STORM = pathlib.Path(__file__).with_name("storm.sh")
# 4 MiB is the least: the toolstack's builder wants as much for its first page tables.
CONFIG = 'type="pv"\nkernel="/root/tiny"\nmemory=4\nvcpus=1\non_poweroff="destroy"\non_reboot="restart"\non_crash="destroy"\n'
ROUNDS = """cd /root # rounds HOW_MANY: make, destroy; stops at the first that says anything
for round in $(seq $1); do
    said=$(xl create -q -p tiny.cfg 'name="round"' 2>&1 && xl destroy round 2>&1) && [ -z "$said" ] || { echo "round $round: $said"; exit 1; }
    [ $((round % 100)) != 0 ] || echo "round $round: $(figures pages | grep free)"
done
"""
# dom0 has a process of xl for each guest.
MACHINE = dict(smp=2, mem=2560, dom0_mem=1536, files={"root/tiny": TINY.read_bytes(), "root/tiny.cfg": CONFIG, "bin/rounds": ROUNDS,
                                                      "bin/storm": STORM.read_text()})
SEED = 1
IDS = "$(xl list | awk 'NR > 1 && $2 > 0 { print $2 }')"
TINY_PAGES = 1024

# Races between the shells make the toolstack refuse in many words. These errors none of them explains.
WRONG = re.compile(r"Cannot allocate memory|[Oo]ut of memory|Bad address|not implemented|Input/output error|not permitted|No space left"
                   r"|[Tt]imed out|time-out|[Aa]ssert|Connection refused|Broken pipe|Segmentation|Resource temporarily|Too many")


def destroy_all(system):
    """Also what comes up meanwhile, as a guest that was rebooting does."""
    def none_left():
        system.dom0(f"for id in {IDS}; do xl destroy $id 2>/dev/null & done; wait", check=False, timeout=COMMAND * 3)
        return list(domains(system)) == ["Domain-0"] and not system.dom0("pidof xl || true").strip()
    eventually("all guests are gone", none_left)


def nothing_is_left(system):
    """No domain, no process, no device, no entry in xenstore; the daemons live; nobody complains."""
    assert len(system.dom0("pidof xenstored xenconsoled").split()) == 2
    assert system.dom0("ls /sys/class/net").split() == ["lo", "xenbr0"]
    assert system.dom0("losetup -a; xenstore-list /local/domain; xenstore-list /libxl; xenstore-list /vm").split() == ["0"]
    complaints = system.dom0("dmesg | grep -E 'BUG|WARNING|Oops|Call Trace|general protection|segfault|stall|blocked for|rror|ailed' || true")
    assert complaints.strip() == ""
    assert hypervisor_complaints(system) == []


def hypervisor_complaints(system):
    log = system.dom0("xl dmesg | sed 's/^/: /'")
    return [line for line in log.splitlines() if re.search(r"error|warn|fail|bug|crash|assert|panic|corrupt|leak|refus|stuck", line, re.I)]


def last_words(system):
    """{tiny guest: the last line on its console}."""
    text = system.dom0("for log in /var/log/xen/console/guest-t*.log; do echo \"${log##*/} $(tail -n 1 $log)\"; done; "
                       "grep -hE 'time went|trap' /var/log/xen/console/guest-t*.log || true")
    assert "time went back" not in text and "trap" not in text, text
    return dict(re.findall(r"^guest-(t\d+)\.log (.*)", text, re.M))


def all_advance(system):
    """Each tiny guest there is wakes up and says so. One that was about to reboot or power off may do it meanwhile."""
    before = last_words(system)

    def advanced():
        now = last_words(system)
        return all("wake-ups" in now.get(name, "") and now[name] != before.get(name)
                   for name in domains(system) if re.fullmatch(r"t\d+", name))
    eventually("each tiny guest counts on", advanced)


def crowd(system, count):
    start_guest(system, "guest", "vcpus=2", "maxvcpus=4", options="-p")
    # Each line costs dom0 some work: a crowd is taciturn. The real guest boots when all are there: xl gives up on a domain whose
    # console is not open within ten seconds, which is little for a dom0 that shares a slow machine with so much.
    system.dom0(f"echo 'extra=\"interval={200 + count * 8} say={max(1, count // 20)}\"' >>tiny.cfg")
    for first in range(0, count, 20):
        said = system.dom0(f"for n in $(seq {first} {min(count, first + 20) - 1}); do xl create -q tiny.cfg \"name=\\\"t$n\\\"\" || break; done",
                           timeout=COMMAND + 200 * PATIENCE)
        assert said.strip() == ""
        print(f"{min(count, first + 20)} guests after {system.seconds:.0f} s")
    system.dom0("xl unpause guest")
    system.guest_says("^guest: ready")
    names = [f"t{n}" for n in range(count)]
    assert sorted(domains(system)) == sorted(["Domain-0", "guest", *names])
    all_advance(system)
    assert "alive" in system.guest("echo alive")


def storm(system, count, seconds):
    """Three shells at it; checks what they said, then that who lives is well."""
    print(f"storm: seed {SEED}, {seconds} s")
    limit = int(100 * PATIENCE)
    system.dom0(f"for shell in 1 2 3; do storm {SEED} $shell {seconds} {count} {limit} & done; wait", timeout=seconds * 2 + COMMAND * 3)
    commands, refused, failures = 0, 0, []
    for said in re.split(r"^\+ ", system.dom0("cat /run/storm.?"), flags=re.M)[1:]:
        command, *lines, status = said.strip().splitlines()
        commands += 1
        refused += status != "= 0"
        # Without a word, or by a signal: killed as it hung, a segfault.
        if any(WRONG.search(line) for line in lines) or (status != "= 0" and not lines) or int(status[2:]) > 127:
            failures.append(f"{command} {status}: {lines}")
    assert not failures, f"{len(failures)} of {commands} commands failed in another way than by a refusal: " + "\n".join(failures[:20])
    print(f"storm: {commands} commands, {refused} refused")
    assert commands > seconds / 2 / PATIENCE
    # Pauses count: who was paused by two shells is still paused after one unpause.
    system.dom0("for n in 1 2 3 4 5 6; do for id in $(xl list | awk 'NR > 1 && $5 ~ /p/ { print $2 }'); do xl unpause $id; done; done", check=False,
                timeout=COMMAND * 3)
    all_advance(system)
    assert len(domains(system)) > count / 4
    assert "alive" in system.guest("echo alive")


def rounds(system, count, free):
    output = system.dom0(f"rounds {count}", timeout=COMMAND + count * 10 * PATIENCE)
    print(output)
    assert all(int(number) == free for number in re.findall(r"free (\d+)", output)), output


def test_what_a_guest_costs(system, record_property):
    """Pages of the hypervisor's own for a guest and for each further vCPU."""
    system.dom0("xl create -q -p tiny.cfg 'name=\"t0\"' vcpus=8; xl destroy t0")  # dom0's part in it is there from now on
    free = pages(system).free
    cost = {}
    for vcpus in (1, 8):
        system.dom0(f"xl create -q -p tiny.cfg 'name=\"t0\"' vcpus={vcpus}")
        _, left, _, owned = pages(system)
        assert [its for domain, its in owned.items() if domain] == [TINY_PAGES]
        cost[vcpus] = free - left - TINY_PAGES
        system.dom0("xl destroy t0")
    each = (cost[8] - cost[1]) / 7
    print(f"a guest costs {cost[1]} pages with one vCPU, {each:.1f} for each further one")
    record_property("pages_per_guest", cost[1])
    record_property("pages_per_vcpu", each)
    assert cost[1] <= 24 and each <= 4, "more than the stock hypervisor's"


@pytest.mark.stock_fails("its heap keeps some pages that it used")
@pytest.mark.parametrize("count, seconds", [(10, 12), pytest.param(100, 600, marks=pytest.mark.slow)])
def test_crowd_and_storm(system, count, seconds):
    rounds(system, 1, None)  # dom0's part in it is there from now on
    before = pages(system)
    crowd(system, count)
    if seconds > 60:
        print(system.dom0("free -m; figures pages"))
    storm(system, count, seconds)
    destroy_all(system)
    after = pages(system)
    assert after.domains == before.domains
    # dom0's tables grow to what a crowd needs and keep that: two event channels (128 a page) and two mappings of grants (170 a page)
    # for each guest. That nothing else stays is test_rounds' to show, to the page.
    assert 0 <= before.free - after.free <= -(-2 * count // 128) + -(-2 * count // 170)
    nothing_is_left(system)


@pytest.mark.stock_fails("its heap keeps some pages that it used")
@pytest.mark.parametrize("count", [8, pytest.param(1000, marks=pytest.mark.slow)])
def test_rounds(system, count):
    destroy_all(system)  # what a test before this one left when it failed
    rounds(system, 1, None)
    before = pages(system)
    rounds(system, count, before.free)
    assert pages(system) == before
    nothing_is_left(system)
