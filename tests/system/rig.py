# SPDX-License-Identifier: GPL-2.0-only
"""What several files of system tests ask of a machine."""
import collections
import re
import time

from machine import COMMAND, PATIENCE


def domains(system):
    """`xl list`: {name: (memory, vcpus, state)}."""
    rows = (line.split() for line in system.dom0("xl list").splitlines()[1:])
    return {row[0]: (int(row[2]), int(row[3]), row[4]) for row in rows if len(row) >= 6}


def eventually(what, true, seconds=60):
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
        eventually("the memory is free again", lambda: system.free_memory() == free, 30)
