# SPDX-License-Identifier: GPL-2.0-only
"""Looking inside: the log, debug keys, traces, counters, and what the monitoring commands show, while a guest works."""
import pathlib
import re
import time

import pytest
from conftest import STOCK
from rig import eventually, start_guest, stop_guests

MACHINE = dict(append="conring_size=64K")
TOOLS = "/usr/lib/xen-4.17/bin"

# What a key must show: (ours, the stock hypervisor's; None: it has no such key). {domid} is the guest's number.
KEYS = {
    "0": (r"d0v0: \w+.*(?s:.*)rip e033:[0-9a-f]{16}(?s:.*)d0v1:", r"Dom0 vcpu#0 state(?s:.*)RIP:(?s:.*)vcpu#1 state"),
    "a": (r"CPU 0: timers\n(?s:.*)in +-?\d+ us: \w+\([0-9a-f]+\)(?s:.*)CPU 1:", r"CPU00:(?s:.*)ex= +-?\d+us.*(?s:.*)CPU01:"),
    "c": (r"CPU 0: C1 by HLT, idle for \d+ ms(?s:.*)CPU 1:", r"==cpu0==(?s:.*)C1:(?s:.*)==cpu1=="),
    "d": (r"CPU 0: (?s:.*)CPU 1: ", r"CPU0 (?s:.*)CPU1 "),
    "e": (r"d{domid}: \d+ event channels.*\n.* 1 \[\d/\d\] v0 to d0 port \d+", r"domain {domid}:(?s:.*) 1 \[.*\]: s=3 .* d=0 p=\d+"),
    "g": (r"d{domid} grants: version 1(?s:.*) ref \d+: frame [0-9a-f]+ by d0", r"remote d{domid} \(v1\)(?s:.*)\[0x[0-9a-f]+\] +0 0x"),
    "i": (r"irq +\d+ vector [0-9a-f]+ CPU \d.*guest", r"IRQ: +\d+ vec:[0-9a-f]+.*d0:"),
    "m": (r"Memory: \d+ KiB in all, \d+ KiB free", r"Dom heap: \d+kB free"),
    "n": (r"CPU 0: \d+ NMIs\n.*CPU 1: \d+ NMIs", r"CPU\sNMI\n.* 0\s+\d+\n.* 1\s+\d+"),
    "q": (r"d0: (?s:.*)d{domid}: (?s:.*)v0: ", r"domain 0:(?s:.*)domain {domid}:(?s:.*)VCPU0:"),
    "r": (r"CPU 1: (?s:.*)d{domid}: weight 256, cap 0\n.*v0: ", r"CPU\[01\](?s:.*)CPU\[01\] current="),
    "s": (r"TSC: \d+ kHz(?s:.*)d{domid}: tsc_mode 0", r"dom{domid}: mode=0"),
    "t": (r"Clocks of 2 CPUs: skew at least \d+ ns", r"stime skew: max=\d+ns"),
    "u": (r"node, \d+ pages(?s:.*)d{domid}: 49152 pages", r"Domain {domid} \(total: 49152\)"),
    "z": (r"GSI +\d+: vector [0-9a-f]{2} edge", r"IRQ redirection table"),
    "H": (r"\d+ KiB: \d+ blocks, \d+ KiB free", r"heap\[node=0\]\[zone=\d+\] -> \d+ pages"),
    "J": (r"refused d0v\d: .+ \(-\d+\) at \S+:\d+", None),
    "M": (r"Message-signalled interrupts:", r"MSI information:"),
    "Q": (r"0000:00:1f\.2 vendor 8086 device 2922", r"0000:00:1f\.2 - d0"),
    "p": (r"hypercalls\[35\]: \d+\n(?s:.*)hypercalls: \d+\n(?s:.*)switches: \d+", None),
    "P": (r"Counters are zero", None),
    "G": (r"are for messages of guests", r"guest"),
    "+": (r"Messages of guests: level 1", r"level"),
    "-": (r"Messages of guests: level 0", r"level"),
    "w": ("", ""),
}
WITHOUT_ACCOUNT = "GhRw*+-P"  # what "*" leaves out


def log_lines(text):
    return re.sub(r"^log: (?:\(XEN\) )?", "", text, flags=re.M)


def press(system, keys):
    """{key: what the log has after it}, for all keys in one go."""
    script = "; ".join(f"echo 'key {key}'; xl debug-keys '{key}'; xl dmesg -c | sed 's/^/log: /'" for key in keys)
    output = system.dom0(f"xl dmesg -c >/dev/null; {script}")
    return {part[0]: log_lines(part[2:]) for part in re.split(r"^key (?=.\n)", output, flags=re.M)[1:]}


@pytest.fixture(scope="module")
def guest():
    """Filled in by the first test: the guest's domain number."""
    return {}


def test_guest_starts(system, guest):
    start_guest(system)
    guest["domid"] = system.dom0("xl domid guest").strip()


def test_every_key_shows_something_true(system, guest):
    listed = set(re.findall(r"key '(.)' \(ascii '[0-9a-f]{2}'\) => \S", press(system, "h")["h"]))
    wanted = {key: patterns[STOCK] for key, patterns in KEYS.items() if patterns[STOCK] is not None}
    assert set(wanted) <= listed
    if not STOCK:
        described = (pathlib.Path(__file__).parents[2] / "docs" / "debug-keys.md").read_text()
        table = set("".join(re.findall(r"^\| (`.`(?:, `.`)*) \|", described, re.M))) - set("`, ")
        assert table == listed == set(KEYS) | set("hR*")
    shown = press(system, wanted)
    wrong = {key: shown[key] for key, pattern in wanted.items()
             if not re.search(pattern.replace("{domid}", guest["domid"]), shown[key])}
    assert not wrong


def test_star_shows_all(system, guest):
    shown = press(system, "*")["*"]
    wanted = {key: patterns[STOCK] for key, patterns in KEYS.items() if patterns[STOCK] and key not in WITHOUT_ACCOUNT + ("0" if STOCK else "")}
    missing = [key for key, pattern in wanted.items() if not re.search(pattern.replace("{domid}", guest["domid"]), shown)]
    assert not missing, shown


def test_log_is_cleared(system):
    system.dom0("xl debug-keys h")
    before = system.dom0("xl dmesg -c | sed 's/^/log: /'")
    assert "showing installed handlers" in before
    assert "log:" not in system.dom0("xl dmesg | sed 's/^/log: /'")
    system.dom0("xl debug-keys m")
    after = log_lines(system.dom0("xl dmesg | sed 's/^/log: /'"))
    assert re.search(KEYS["m"][STOCK], after)
    assert "showing installed handlers" not in after


def cpu_seconds(system, name):
    return float(next(line.split()[-1] for line in system.dom0("xl list").splitlines() if line.startswith(name + " ")))


def burn(seconds):
    """For a guest: a process after the other."""
    return f"end=$(($(date +%s) + {seconds})); while [ $(date +%s) -lt $end ]; do :; done"


def test_trace_tells_what_happened(system, guest):
    mhz = system.info()["cpu_mhz"]
    before = cpu_seconds(system, "guest")
    system.dom0(f"{TOOLS}/xentrace -D -e all -S 64 -T 1000 /run/trace >/dev/null 2>&1 & echo $! >/run/pid; sleep 1")
    system.guest(burn(4))  # 3 s at least: it counts whole ones
    spent = cpu_seconds(system, "guest") - before
    system.dom0("kill $(cat /run/pid); while kill -0 $(cat /run/pid) 2>/dev/null; do sleep 0.1; done")
    report = system.dom0(f"xenalyze --cpu-hz {float(mhz) / 1000:.6f}G -s /run/trace 2>/run/complaints", timeout=200)
    domains = dict(re.findall(r"^\|-- Domain (\d+) --\|\n(.*?)(?=^\|--|\Z)", report, re.M | re.S))
    assert {"0", guest["domid"], "32767"} <= set(domains)
    mine = domains[guest["domid"]]
    ran = sum(float(seconds) for seconds in re.findall(r"^ +running: +\d+ +([\d.]+)s", mine, re.M))
    assert spent > 2
    assert ran == pytest.approx(spent, abs=1 + 0.1 * spent)
    calls = {name: int(count) for name, count in re.findall(r"^ +(\w+) +\[ ?\d+\]: +(\d+)", mine, re.M)}
    assert calls["iret"] > 100
    assert calls["mmu_update"] + calls.get("multicall", 0) > 10
    assert int(re.search(r"^ +page_fault +(\d+)", mine, re.M)[1]) > 10
    assert int(re.search(r"^ +emulate privop +(\d+)", mine, re.M)[1]) > 10
    complaints = system.dom0("grep -iE 'error|unexpected|strange|unknown|lost [1-9]|warn' /run/complaints || true")
    assert complaints.strip() == ""
    events = system.dom0("xenalyze -a /run/trace 2>&1 | grep -cE 'lost_records|unknown|unexpected' || true").split()
    assert events == ["0"]


def test_trace_says_what_it_lost(system):
    """Tracing stays on while nobody reads: the buffers fill up, and the next reader is told how much is missing."""
    system.dom0(f"{TOOLS}/xentrace -D -x -e all -T 1 /run/first >/dev/null 2>&1")
    system.guest(burn(2))
    system.dom0(f"{TOOLS}/xentrace -e all -T 1 /run/second >/dev/null 2>&1")
    lost = system.dom0("xenalyze -a /run/second 2>/dev/null | grep lost_records | head -3")
    assert re.search(r"lost_records count [1-9]\d*", lost), lost


def test_reader_is_woken_when_a_buffer_is_half_full(system):
    """By VIRQ_TBUF, long before it would look by itself."""
    system.dom0(f"{TOOLS}/xentrace -D -s 1000000 -e all /run/woken >/dev/null 2>&1 & echo $! >/run/pid; sleep 1")
    size = "stat -c %s /run/woken 2>/dev/null || echo 0"
    started = int(system.dom0(size))
    system.dom0(f"in-guest guest '{burn(3)}' >/dev/null 2>&1 & echo $! >/run/burning")
    eventually("it wrote what a half-full buffer holds", lambda: int(system.dom0(size)) - started > 100000)
    system.dom0("kill $(cat /run/pid); while kill -0 $(cat /run/pid) 2>/dev/null; do sleep 0.1; done")
    system.dom0("while kill -0 $(cat /run/burning) 2>/dev/null; do sleep 0.1; done")


def test_trace_can_be_narrowed(system, guest):
    """Only scheduling, only on CPU 1."""
    system.dom0("xl vcpu-pin guest all 1")  # or there may be nothing to see on that CPU
    system.guest(f"({burn(4)}) >/dev/null 2>&1 & true")
    system.dom0(f"{TOOLS}/xentrace -D -c 1 -e 0x0002f000 -T 2 /run/narrow >/dev/null 2>&1; xl vcpu-pin guest all all")
    report = system.dom0("xenalyze -s /run/narrow 2>/dev/null | sed -n '/volume/,/Domain/p'")
    assert re.search(r"- cpu 1 -\n +sched : +[1-9]", report), report
    assert not re.search(r"^ +pv +:", report, re.M)
    assert not re.search(r"- cpu 0 -\n +sched", report)
    system.dom0("rm -f /run/trace /run/first /run/second /run/woken /run/narrow")


def counters(system, options=""):
    return {name.strip(): int(total) for name, total in re.findall(r"^(\S.*?) +T= *(\d+)", system.dom0(f"{TOOLS}/xenperf {options}"), re.M)}


@pytest.mark.stock_fails("Debian builds it without counters")
def test_counters_count(system):
    def sysctls():
        return int(re.search(r"^sysctl +(\d+)", system.dom0(f"{TOOLS}/xenperf -p"), re.M)[1])

    first, calls = counters(system), sysctls()
    system.guest("for i in 1 2 3 4 5 6 7 8 9 10; do true | cat; done; ping -c 3 -w 60 192.0.2.1 >/dev/null")
    for _ in range(3):
        system.dom0("xl info >/dev/null")
    second = counters(system)
    assert sysctls() - calls >= 9
    for name in ("exceptions", "hypercalls", "calls from multicalls", "interrupts of devices", "interrupts of the timer", "TLB flushes",
                 "sched: context switches", "sched: wakes", "events raised", "events delivered: upcalls", "system calls passed on",
                 "exceptions passed on", "privileged instructions emulated", "page-table entries by mmu_update", "operations by mmuext_op"):
        assert second[name] > first[name], name
    assert second["sched: decisions"] >= second["sched: context switches"]
    system.dom0(f"{TOOLS}/xenperf -r")
    assert counters(system)["hypercalls"] < second["hypercalls"] / 2


def test_xentop_shows_the_guest_at_work(system):
    system.dom0(f"in-guest guest '{burn(6)}' >/dev/null 2>&1 &")
    output = system.dom0("xentop -b -f -i 2 -d 2 -v -n -x")
    rows = [line.split() for line in output.splitlines() if re.match(r" *guest ", line)]
    assert len(rows) == 2
    names = next(line.split() for line in output.splitlines() if "NAME" in line)
    last = dict(zip(names, rows[-1]))
    assert float(last["CPU(%)"]) > 30
    assert (last["MEM(k)"], last["VCPUS"], last["NETS"], last["VBDS"]) == ("196608", "1", "1", "1")
    assert float(last["CPU(sec)"]) >= float(dict(zip(names, rows[0]))["CPU(sec)"])
    assert len(re.findall(r"^VCPUs\(sec\): +0: +\d+s", output, re.M)) == 4, "dom0's and the guest's, twice"
    assert re.search(r"^Net0 RX: *[1-9]\d*bytes", output, re.M)
    assert re.search(r"^VBD BlkBack 51712", output, re.M)


def test_xl_top_draws_a_screen(system):
    screen = system.dom0("(sleep 1; printf q) | TERM=linux xl top | tr '\\033' '\\n'", timeout=60)
    assert "xentop - " in screen
    assert "Domain-0" in screen and "guest" in screen
    assert re.search(r"2 domains: ", screen)


def test_uptime(system):
    def seconds(name):
        h, m, s = re.search(r"(\d+):(\d+):(\d+)\s*$", system.dom0(f"xl uptime {name} | tail -1")).groups()
        return int(h) * 3600 + int(m) * 60 + int(s)

    first, whole = seconds("guest"), seconds("Domain-0")
    assert 0 < first < whole
    eventually("it goes on", lambda: first < seconds("guest") < seconds("Domain-0"))


def test_all_goes_as_it_came(system, shared):
    """But for the trace buffers, which stay."""
    stop_guests(system)
    eventually("the memory is free again", lambda: 0 <= shared.free - system.free_memory() <= 2)


def test_slow_console_stops_nobody(system):
    """30 KB while nobody reads the terminal, which takes 20: the rest waits in the hypervisor, and dom0 goes on."""
    system.send("{ seq 1 3900 & }; from=$(cut -d' ' -f1 /proc/uptime); sleep 1; to=$(cut -d' ' -f1 /proc/uptime); wait; "
                "echo from $from to $to.\n")
    time.sleep(8)
    slept = system.expect(r"from ([0-9.]+) to ([0-9.]+)\.\s")
    assert [int(word) for word in system.child.before.split() if word.isdigit()] == list(range(1, 3901))
    assert float(slept.group(2)) - float(slept.group(1)) < 4
