# SPDX-License-Identifier: GPL-2.0-only
"""What several files of system tests ask of a machine."""
import collections
import re
import time

from machine import COMMAND, PATIENCE


# QEMU (10.0): any CPU that loads FPU state writes CPU 0's flags without a lock, and VMRUN's and #VMEXIT's own changes of them get lost:
# a translated guest on CPU 0 ends sooner or later in "delivers an event through what is no memory". docs/testing.md says more.
NOT_CPU0 = 'cpus="all,^0"\n'


def domains(system):
    """`xl list`: {name: (memory, vcpus, state)}."""
    rows = (line.split() for line in system.dom0("xl list").splitlines()[1:])
    return {row[0]: (int(row[2]), int(row[3]), row[4]) for row in rows if len(row) >= 6}


def eventually(what, true, seconds=240):
    """Asks again and again until true() is; returns what it gave."""
    end = time.monotonic() + seconds * PATIENCE
    while not (answer := true()):
        assert time.monotonic() < end, f"not within {seconds * PATIENCE:.0f} s: {what}"
        time.sleep(0.5)
    return answer


Pages = collections.namedtuple("Pages", "total free claimed domains")


def pages(system):
    """The machine's memory in pages, domains: {number: its own}; once nothing is left to scrub and no domain is dying."""
    def settled():
        text = system.dom0("figures pages")
        return "scrub 0\n" in text and "dying" not in text and text
    text = eventually("memory has settled", settled)
    figures = dict(re.findall(r"^(total|free|claimed) (\d+)$", text, re.M))
    own = {int(domain): int(count) for domain, count in re.findall(r"^domain (\d+) (\d+)$", text, re.M)}
    return Pages(int(figures["total"]), int(figures["free"]), int(figures["claimed"]), own)


def start_guest(system, name="guest", *settings, address=2, options="", words=""):
    """Creates a guest of guest.cfg with other settings (xl's "key=value" strings) and waits for its userspace. Guests that live at
    the same time need addresses of their own: 192.0.2.`address`. words: more of its kernel's command line."""
    system.dom0(f"rm -f /var/log/xen/console/guest-{name}.log")
    extra = " ".join(f"'{setting}'" for setting in (
        f'name="{name}"', f'cmdline="console=hvc0 quiet address={address} {words}"',
        f'vif=["bridge=xenbr0,mac=00:16:3e:00:00:{address:02x}"]', *settings))
    system.dom0(f"xl create -q {options} guest.cfg {extra}", timeout=COMMAND + 60)
    if "-p" not in options.split():
        system.guest_says("^guest: ready", name=name)


def stop_guests(system, free=None):
    """Destroys all guests; then, if told what was free before them, waits until it is free again."""
    for name in domains(system):
        if name not in ("Domain-0", "(null)"):  # one without a name is going already
            system.dom0(f"xl destroy {name}", check=False)
    eventually("all guests are gone", lambda: list(domains(system)) == ["Domain-0"])
    if free is not None:
        eventually("the memory is free again", lambda: system.free_memory() == free)


MIGRATE = "xl -v migrate -s '' {0} 'xl migrate-receive' >/run/xl.log 2>&1 || {{ sed s,^,:, /run/xl.log; false; }}"


def migrate(system, name):
    """To this very machine. Memory goes over while the guest writes to it; each thing it writes is compared with its sum."""
    system.guest('head -c 16777216 /dev/urandom >/still; md5sum </still >/still.sum; '
                 '(n=0; while n=$((n + 1)); do head -c 200000 /dev/urandom >/a; s=$(md5sum </a); cp /a /b; [ "$s" = "$(md5sum </b)" ] || echo $n >>/bad; '
                 'echo $n >/count; done) >/dev/null 2>&1 & sleep 0', name=name)
    first = system.dom0(f"xl domid {name}")
    system.dom0(MIGRATE.format(name), timeout=COMMAND * 5)
    system.dom0(f"mv /var/log/xen/console/guest-{name}--incoming.log /var/log/xen/console/guest-{name}.log")  # named when it was made
    assert system.dom0(f"xl domid {name}") != first and sorted(domains(system)) == ["Domain-0", name]
    count = "cat /count 2>/dev/null || echo 0"
    at = int(system.guest(count, name=name, timeout=120))
    eventually("it goes on writing", lambda: int(system.guest(count, name=name)) > at + 2)
    assert system.guest("cat /bad 2>/dev/null; true", name=name).strip() == ""
    assert system.guest("md5sum </still | cmp - /still.sum && echo same", name=name).strip() == "same"
    assert "2 packets received" in system.guest("ping -c 2 -W 10 192.0.2.1", name=name)
