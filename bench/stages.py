# SPDX-License-Identifier: GPL-2.0-only
"""What bench/compare measures: the groups, each a part of the job that dom0 runs after boot, and the rows of the table.

A job says on the console where something begins and ends ("bench: NAME begin at SECONDS") or a figure ("bench: NAME = FIGURE");
programs in dom0 and in the guest (inside.c) say the same by the stopwatch's marker, which costs nothing.
"""
import dataclasses
import pathlib
import subprocess
import tempfile

ROUNDS, FORKS, PINGPONGS, MAPS, READS, MIB, SAMPLES, DOMAINS, VCPUS = 2, 100, 5000, 20, 200, 16, 500, 4, 9

PROLOGUE = """#!/bin/sh
dmesg -n 1
say() { read -r up rest </proc/uptime; echo "bench: $* at $up s"; }
timed() { name=$1; shift; say $name begin; "$@"; say $name end; }
"""
EPILOGUE = "poweroff -f\n"

# The guest's console is xl's output, so its line reaches dom0's console without a poll in between.
GUEST = """
say create begin
xl create -q -c guest.cfg 'cmdline="console=hvc0 quiet once"' | while read -r line; do
    case $line in *"userspace up"*) say create end; say poweroff begin ;; esac
done
while xl domid guest >/dev/null 2>&1; do :; done
say poweroff end
"""
LIFE = f"""
rounds() {{ for round in $(seq $1); do xl create -q -p guest.cfg; xl destroy guest; done; }}
timed rounds rounds {ROUNDS}
"""
# The guest works by itself and is watched but once a second; then it stays, for the next group.
WORK = """
zcat /boot/guest.img | cat - work.img >work-guest.img
inside serve
rm -f /var/log/xen/console/guest-guest.log
xl create -q guest.cfg 'ramdisk="/root/work-guest.img"'
for second in $(seq 300); do sleep 1; grep -q 'work: done' /var/log/xen/console/guest-guest.log && break; done
rm work-guest.img
"""
SAVE = """
xl domid guest >/dev/null 2>&1 || { xl create -q guest.cfg && in-guest guest --until '^guest: ready'; }
timed save xl save guest /root/saved
timed restore xl restore /root/saved
ping -c 1 -w 60 192.0.2.2 | grep -q ' 0% packet loss' && echo "bench: restored = 1"
rm -f /root/saved
"""
OWN = "".join(f"inside %s{words} || exit 1\n" for words in (f"fork {FORKS}", f"pipe {PINGPONGS}", f"mmap {MAPS}", f"read {READS} /bin/inside"))
DOM0 = OWN.replace("%s", "dom0 ").replace("exit 1", "poweroff -f")
WORK_IN_GUEST = f"""#!/bin/sh
export PATH=/bin
{OWN.replace('%s', '')}inside disk {MIB} /dev/xvda && inside send 192.0.2.1 {MIB} && inside receive 192.0.2.1 {MIB}
echo "work: done"
"""
WAKE = f"""
! xl domid guest >/dev/null 2>&1 || xl destroy guest
xl create -q -p wake.cfg 'name="busy"' vcpus=7 'cmdline="busy"'
xl create -q -p wake.cfg 'name="wake"' vcpus=2 'cmdline="samples={SAMPLES}"'
xl unpause busy; xl unpause wake
xl console wake | while read -r line; do echo "bench: $line"; done
xl destroy busy
"""
MEMORY = f"""
many() {{ for n in $(seq {DOMAINS}); do xl create -q -p wake.cfg "name=\\"$1$n\\"" vcpus=$2; done; inside memory $1; }}
inside memory before
many one 1
many more {VCPUS}
for n in $(seq {DOMAINS}); do xl destroy one$n; xl destroy more$n; done
"""
WAKE_CONFIG = 'type = "pv"\nkernel = "/root/wake"\nmemory = 16\n'
GROUPS = {"memory": MEMORY, "dom0": DOM0, "guest": GUEST, "life": LIFE, "work": WORK, "save": SAVE, "wake": WAKE}


def job(groups):
    """In this order, whichever are wanted."""
    return PROLOGUE + "".join(text for group, text in GROUPS.items() if group in groups) + EPILOGUE


def files(groups, inside, wake):
    """What is added to dom0's image."""
    found = {"root/job": job(groups), "bin/inside": inside.read_bytes()}
    if "work" in groups:
        found["root/work.img"] = archive({"bin/inside": inside.read_bytes(), "bin/job": WORK_IN_GUEST, "etc/inittab": "hvc0::once:/bin/job\n"})
    if "wake" in groups or "memory" in groups:
        found |= {"root/wake": wake.read_bytes(), "root/wake.cfg": WAKE_CONFIG}
    return found


def archive(contents):
    """An initramfs to append to the guest's. Neither is compressed then: the toolstack would unpack the first alone."""
    with tempfile.TemporaryDirectory() as scratch:
        for path, text in contents.items():
            file = pathlib.Path(scratch, path)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            file.chmod(0o755)
        return subprocess.run("find . -exec touch -h -d @0 {} + && find . -mindepth 1 | LC_ALL=C sort | "
                              "cpio -o -H newc --quiet --reproducible -R 0:0",
                              shell=True, cwd=scratch, check=True, stdout=subprocess.PIPE).stdout


class Marks:
    """What one run noted, by (name, "begin" or "end"): instructions, those of them in the hypervisor, virtual seconds; and figures."""

    def __init__(self):
        self.instructions, self.inside, self.virtual, self.figures = {}, {}, {}, {}

    def span(self, name, kind="instructions"):
        marks = getattr(self, kind)
        begin, end = marks.get((name, "begin")), marks.get((name, "end"))
        return None if begin is None or end is None else end - begin


@dataclasses.dataclass
class Row:
    group: str
    title: str
    unit: str
    value: object  # of a Marks; None: was not measured
    name: str = ""  # of a span
    share: int = 1  # how many operations that span has

    def inside(self, marks):
        """Millions of instructions in the hypervisor itself."""
        span = marks.span(self.name, "inside")
        return span and span / 1e6 / self.share

    def seconds(self, marks):
        """Virtual ones."""
        span = marks.span(self.name, "virtual")
        return span and span / self.share


def instructions(group, title, name, share=1):
    def value(marks):
        span = marks.span(name)
        return span and span / 1e6 / share
    return Row(group, title, "million", value, name, share)


def wake(kind, which):
    def value(marks):
        figure = marks.figures.get((f"wake {kind}", which))
        return None if figure is None else figure / 1000
    return Row("wake", f"{'timer' if kind == 'timer' else 'event'} to a sleeping vCPU, 8 busy: {which}", "us", value)


def own_memory(marks, name):
    return marks.figures.get((name, "KiB"))


def memory(title, formula, *names):
    def value(marks):
        figures = [own_memory(marks, name) for name in names]
        return None if None in figures else formula(*figures)
    return Row("memory", title, "KiB", value)


def per_domain(before, one):
    return (one - before) / DOMAINS


def per_vcpu(before, one, more):
    return ((more - one) - (one - before)) / DOMAINS / (VCPUS - 1)


def own(group, who, prefix=""):
    return [instructions(group, f"{who}: {title}", prefix + name) for title, name in (
        (f"{FORKS} fork, exec, wait", "fork"), (f"{PINGPONGS} round trips over pipes", "pipe"),
        (f"{MAPS} times 2 MiB mapped, touched, unmapped", "mmap"), (f"{READS} times a file of 700 KB read", "read"))]


ROWS = [
    instructions("boot", "hypervisor's entry to dom0's first instruction", "boot"),
    instructions("boot", "power-on to the hypervisor's first line", "hypervisor"),
    instructions("boot", "power-on to dom0's kernel", "kernel"),
    instructions("boot", "dom0's kernel to its userspace", "userspace"),
    instructions("boot", "power-on to dom0's userspace", "booted"),
    instructions("boot", "userspace to tools up", "tools"),
    instructions("guest", "xl create to the guest's userspace", "create"),
    instructions("guest", "the guest's poweroff to its end", "poweroff"),
    instructions("life", "xl create -p and xl destroy, a round", "rounds", ROUNDS),
    instructions("save", "xl save, 192 MiB", "save"),
    instructions("save", "xl restore, 192 MiB", "restore"),
    *own("dom0", "dom0", "dom0-"),
    *own("work", "guest", ""),
    instructions("work", f"disk, {MIB} MiB written", "write"),
    instructions("work", f"disk, {MIB} MiB read", "disk"),
    instructions("work", f"TCP, {MIB} MiB guest to dom0", "send"),
    instructions("work", f"TCP, {MIB} MiB dom0 to guest", "receive"),
    *(wake(kind, which) for kind in ("timer", "event") for which in ("p50", "p90", "p99", "max")),
    memory("the hypervisor's memory after boot", lambda before: before, "before"),
    memory("for an idle domain with one vCPU", per_domain, "before", "one"),
    memory("for each further vCPU", per_vcpu, "before", "one", "more"),
]
