# SPDX-License-Identifier: GPL-2.0-only
"""The single operations that bench/compare counts: what the micro guest guests/bench does between its marks, by their names there."""
import dataclasses
import re

BEGIN = re.compile(r"(\d+) (\d+) bench: (\S+) begin$")
END = re.compile(r"(\d+) (\d+) bench: (\S+) end of (\d+)$")


@dataclasses.dataclass
class Operation:
    name: str
    title: str
    share: int = 1  # how many of them the guest counts as one

    @property
    def kind(self):
        return self.name.split("-")[0]


def named(kind, operations):
    return [Operation(f"{kind}-{name}", title, *share) for name, title, *share in operations]


KINDS = {"pv": "PV kernel", "dom": "PV kernel with another domain", "pvh": "PVH guest", "hvm": "HVM guest"}
TRANSLATED = [
    ("cpuid", "CPUID"), ("version", "hypercall: version"), ("unknown", "hypercall: unknown number"), ("rdmsr", "RDMSR of the APIC's base"),
    ("wrmsr", "WRMSR of TSC_AUX"), ("cr4", "CR4 written as it is"), ("lapic-read", "local APIC's register read in memory"),
    ("lapic-write", "local APIC's register written in memory"), ("port-nobody", "IN from a port that nobody has"),
    ("nothing", "read where no memory is"), ("give-take", "page given back, taken again and touched"),
    ("send", "event to itself, not taken"), ("upcall", "event to itself, upcall and IRET"),
    ("ping-pong", "event to the other vCPU on the same CPU and back"), ("timer", "timer set, HLT, upcall and IRET"),
    ("x2apic-read", "x2APIC's register read"), ("x2apic-write", "x2APIC's register written"),
    ("self-ipi", "x2APIC's IPI to itself, taken, and EOI"), ("ipi", "x2APIC's IPI to the other vCPU and back"),
]
OPERATIONS = named("pv", [
    ("version", "hypercall: version"), ("unknown", "hypercall: unknown number"), ("multicall", "multicall of 16"),
    ("yield", "yield with nobody else"), ("stack-switch", "stack_switch"), ("fs-base", "set_segment_base"),
    ("iret", "iret in the kernel"), ("fault", "page fault in the kernel, handler and iret"),
    ("user-syscall", "SYSCALL from user mode and SYSRET", 100), ("user-int3", "INT3 from user mode, handler and iret", 100),
    ("user-fault", "page fault in user mode, handler and iret", 100), ("cpuid", "CPUID by the forced-emulation prefix"),
    ("rdmsr", "RDMSR"), ("wrmsr", "WRMSR of FS_BASE"), ("port", "IN from a port of the machine"), ("cr0", "CR0 read"),
    ("map", "update_va_mapping"), ("update-1", "mmu_update of 1 entry"), ("update-128", "mmu_update of 128 entries"),
    ("pin", "4 tables with 384 pages pinned and unpinned"), ("pte-write", "page-table entry written in place"),
    ("cr3", "new top page table"), ("switch", "what a process switch is: multicall of three"), ("flush", "TLB flush"),
    ("send", "event to itself, not taken"), ("upcall", "event to itself, upcall and iret"), ("timer", "timer set, block, upcall and iret"),
    ("ping-pong", "event to the other vCPU on the same CPU and back"),
]) + named("dom", [
    ("ping-pong", "event to it and back"), ("map-1", "grant mapped and unmapped"), ("map-32", "32 grants mapped and unmapped"),
    ("copy-1", "1,500 bytes copied out of a grant"), ("copy-64", "64 times 1,500 bytes copied out of grants"),
    ("foreign", "512 pages of it mapped, 16 a call"), ("create", "empty domain made and destroyed"),
    ("create-4", "domain with 4 MiB made and destroyed"),
]) + named("pvh", TRANSLATED) + named("hvm", TRANSLATED + [
    ("pic", "IN from the interrupt controller"), ("pit", "IN from the timer"), ("rtc", "clock's register chosen and read"),
    ("ioapic", "I/O APIC's register read"), ("hpet", "HPET's counter read"), ("dm-port", "IN from a port of dom0's device model"),
    ("dm-memory", "read from memory of dom0's device model"),
])


NUMBERS = (10, 100, 1000)
SCALE = [Operation(f"{name}-{number}", title.format(f"{number:,}")) for name, title in (
    ("send", "event to itself, {} ports open"), ("bind", "port bound and closed, {} open besides"),
    ("map", "grant unmapped and mapped, {} of them mapped")) for number in NUMBERS]
SCALE += [Operation("foreign", "1,024 pages of another domain mapped, 16 a call")]
CROWD = [Operation(f"turn-{number}", f"event to the other vCPU on the same CPU and back, {number:,} more want to run") for number in (0, *NUMBERS)]
# By group: a micro guest, its words, and what it counts by the headings of its tables.
GUESTS = {"micro": ("bench", "", {title: [operation for operation in OPERATIONS if operation.kind == kind] for kind, title in KINDS.items()}),
          "scale": ("scale", "", {"With more in use": SCALE}), "crowd": ("bench", "crowd", {"With more vCPUs": CROWD})}


def read_notes(text):
    """{name: (instructions, those of them in the hypervisor)} of one operation each, from the stopwatch's notes: the least of the
    times that it was counted."""
    begun, least, shares = {}, {}, {operation.name: operation.share for operation in OPERATIONS}
    for line in text.splitlines():
        if match := BEGIN.match(line):
            begun[match[3]] = int(match[1]), int(match[2])
        elif (match := END.match(line)) and match[3] in begun:
            times = int(match[4]) * shares.get(match[3], 1)
            found = tuple((int(match[part]) - begun[match[3]][part - 1]) / times for part in (1, 2))
            least[match[3]] = min(found, least.get(match[3], found))
    return least
