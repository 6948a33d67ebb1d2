# SPDX-License-Identifier: GPL-2.0-only
"""From a disk by GRUB, on machines with BIOS and with UEFI firmware: to dom0's shell and back to power off or reset; what dom0 learns
of EFI, and that its calls reach the firmware."""
import gzip
import re
import subprocess
import time

import pytest

import grub_disk
import machine as machines
from conftest import HYPERVISOR, ROOT, STOCK

OPTIONS = "console=com1,vga com1=115200,8n1 loglvl=info dom0_mem=512M,max:512M" + " spec-ctrl=eager-fpu" * STOCK
MENU = """
serial --unit=0
terminal_input serial console
terminal_output serial console
set timeout=0
insmod all_video
"""


def entry(title, *lines):
    return f"menuentry '{title}' {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def tenon(*modules, options=OPTIONS, after=()):
    return (f"multiboot2 /boot/hypervisor {options}", *after, *(f"module2 --nounzip {module}" for module in modules))


KERNEL = "/boot/vmlinuz console=tty0 console=hvc0 earlyprintk=xen agent"
MODE = "if [ $grub_platform = efi ]; then set gfxpayload=1024x768x32,auto; else set gfxpayload=text; fi"
LOG = "dmesg | sed 's/^[^]]*] //'"

# efi_calls.c, on stock Xen with the same firmware. A status above 8000000000000000 is the firmware's own refusal: 2 invalid
# parameter, 5 buffer too small, e not found.
CALLS = """
version 0 0x20046
rt-version 0 0x20046
config 0 1
vendor 0 size 0, revision 0x10000, 5555 5555 5555 5555 5555 5555 5555 5555
vendor 0 size 1, revision 0x10000, 5555 5555 5555 5555 5555 5555 5555 5555
vendor 0 size 2, revision 0x10000, 0045 5555 5555 5555 5555 5555 5555 5555
vendor 0 size 3, revision 0x10000, 0045 5555 5555 5555 5555 5555 5555 5555
vendor 0 size 4, revision 0x10000, 0045 0044 5555 5555 5555 5555 5555 5555
vendor 0 size 5, revision 0x10000, 0045 0044 5555 5555 5555 5555 5555 5555
vendor 0 size 40, revision 0x10000, 0045 0044 004b 0020 0049 0049 0000 5555
vendor-nowhere -14
memory 0 type 6, attributes 0x800000000000000f, same 1, page 1
memory-nowhere -3
index -3 of 5
index -61 of 6
index -22 of 7
index -22 of 8
get 0 status 0 size 1 attributes 6
get-short 0 status 8000000000000005 size 1 attributes 6
get-long 0 status 0 size 1 attributes 6
get-none 0 status 800000000000000e size 16 attributes 0
get-nowhere -14 status 5a size 16 attributes 0
get-flags -22 status 5a size 16 attributes 1
get-noname -14
names 0 many 1 status 800000000000000e
next-short 0 status 8000000000000005 more 1
next-nowhere -14
time 0 status 0 plausible 1 misc 0
time-flags -22
set-time-wrong 0 status 8000000000000002
wakeup 0 status 0 misc 0
no-wakeup 0 status 0
wakeup-flags -22
count 0 status 0
room 0 flags 0 status 0 room 1
room -22 flags 2 status 5a room 0
function 0 9 status 8000000000000002
function -38 10 status 5a
function -38 11 status 5a
function -38 12 status 5a
function -38 13 status 5a
"""


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A function that gives the disk another menu: GRUB starts its first entry."""
    scratch = tmp_path_factory.mktemp("grub")
    tool = scratch / "efi-calls"
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", tool, ROOT / "tests/system/efi_calls.c"],
                   check=True)
    hypervisor = machines.BUILD / "tenon.gz" if HYPERVISOR == machines.TENON.resolve() else HYPERVISOR
    kernel = machines.KERNEL.read_bytes()
    image = machines.overlay({"root/efi-calls": tool.read_bytes()}, scratch)
    made = grub_disk.make(scratch / "disk.img", "", {
        "boot/hypervisor": hypervisor, "boot/vmlinuz": machines.KERNEL, "boot/dom0.img": image,
        "boot/damaged": kernel[:len(kernel) // 2] + bytes(4096) + kernel[len(kernel) // 2 + 4096:],
        "boot/garbage": gzip.compress(bytes(range(256)) * 4096)})

    def menu(*entries, settings=""):
        grub_disk.put(made, {"boot/grub/grub.cfg": (MENU + settings + "".join(entries)).encode()})
        return made
    return menu


def test_bios(boot, disk):
    """In the graphics mode that GRUB finds (the stock hypervisor goes back to text)."""
    machine = boot(firmware="bios", disk=disk(entry("dom0", *tenon(KERNEL, "/boot/dom0.img"))), mem=1536).boot()
    assert re.search(r"^xen_version +: 4\.17", machine.dom0("xl info"), re.M)
    assert machine.dom0("echo /sys/firmware/e*").split() == ["/sys/firmware/e*"]
    assert ("fb0: VESA VGA frame buffer device" in machine.dom0(LOG)) == (not STOCK)
    assert "efi: version -38" in machine.dom0("/root/efi-calls")
    machine.send("poweroff -f\n")
    assert machine.ended() == "guest-shutdown"


def test_uefi(boot, disk):
    """dom0 sees EFI's tables, the clock, the screen; variables can be read and written, and what is written is in flash memory."""
    machine = boot(firmware="uefi", disk=disk(entry("dom0", *tenon(KERNEL, "/boot/dom0.img", after=[MODE]))), mem=1536).boot()
    log = machine.dom0(LOG)
    for line in ("efi: EFI v2.70 by EDK II", "efi: .*SMBIOS=0x.* ACPI 2.0=0x", "secureboot: Secure boot disabled", "ACPI: RSDP 0x",
                 "Xen: .mem 0x00000000fee00000-0x00000000feefffff. reserved",
                 "Registered efivars operations", f"efifb: mode is {'.*' if STOCK else '1024x768x32'}", "fb0: EFI VGA frame buffer device"):
        assert re.search(line, log), line
    # From both processors at once, and beside arithmetic, whose registers firmware must not have touched.
    answers = machine.dom0("""cd /root
        f() { awk "BEGIN { x = 0.5; for (i = 0; i < 100000; i++) x = 3.9 * x * (1 - x); print x }" >$1; }
        f a0; for i in 1 2; do ./efi-calls >e$i & f a$i & done; wait
        cmp a0 a1 && cmp a0 a2 && cmp e1 e2 && cat e1""")
    assert re.findall(r"^efi: (.*\S)", answers, re.M) == CALLS.strip().splitlines()
    machine.dom0("insmod /mods/efivarfs.ko && mount -t efivarfs none /sys/firmware/efi/efivars && cd /sys/firmware/efi/efivars")
    names = machine.dom0("ls").split()
    assert "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c" in names and len(names) > 20
    assert machine.dom0("od -An -tx1 SecureBoot-*").split() == ["06", "00", "00", "00", "00"]
    guid = "6d9e43a0-5fd2-4bd4-8a4d-1a5e2b1c7f00"
    machine.dom0(f"printf '\\7\\0\\0\\0mortise' >Tenon-{guid} && printf '\\7\\0\\0\\0%02000d' 7 >Large-{guid}")
    assert machine.dom0(f"tail -c +5 Tenon-{guid}").strip() == "mortise"
    assert machine.dom0(f"wc -c <Large-{guid}").strip() == "2004"
    machine.dom0("rm Boot0001-*")
    assert "Boot0001" not in machine.dom0("cd /; umount /sys/firmware/efi/efivars; mount -t efivarfs none /sys/firmware/efi/efivars; "
                                          "ls /sys/firmware/efi/efivars")
    flash = (machine.scratch / "vars").read_bytes()
    assert "Tenon".encode("utf-16-le") in flash and b"%02000d" % 7 in flash
    if not STOCK:
        check_broken_service(machine)
    machine.send("reboot -f\n")
    assert machine.ended() == "guest-reset"


def check_broken_service(machine):
    """Firmware that faults is left alone from then on, and nothing else has come to harm."""
    broken = machine.dom0("/root/efi-calls broken; xl dmesg >/root/log; grep -o 'EFI: service .*' /root/log")
    assert re.findall(r"^efi: (.*\S)", broken, re.M) == ["broken -95", "afterwards -95", "rt-version -95"]
    assert "EFI: service 0 faults (vector 6," in broken
    assert machine.dom0("cat /sys/firmware/efi/efivars/SecureBoot-* >/dev/null || echo refused").strip().endswith("refused")


NO_KERNEL = ("/boot/gone", "No dom0 kernel: the boot loader gave no module")
BAD_KERNEL = ("/boot/damaged", "Cannot use the dom0 kernel (module 0): xz payload is corrupt")


@pytest.mark.skipif(STOCK, reason="other messages")
@pytest.mark.parametrize("firmware, kernel", [("bios", NO_KERNEL), ("uefi", BAD_KERNEL)])
def test_screen(boot, disk, firmware, kernel):
    """Without a kernel for dom0 it ends in one line, which can be read on the screen: text or pixels. GRUB has said, too, which file
    it did not find."""
    file, message = kernel
    machine = boot(firmware=firmware, disk=disk(entry("bad", *tenon(file, after=[MODE]))), mem=1536)
    if kernel is NO_KERNEL:
        machine.expect(f"file `{file}' not found", machines.BOOT)
        machine.expect("Press any key")
        machine.send(" ")
    machine.expect(re.escape(message), machines.BOOT)
    end, lines = time.monotonic() + machines.COMMAND, []
    while f"(XEN) {message}" not in lines and time.monotonic() < end:  # the screen gets it after the serial line
        if firmware == "bios":
            lines = machine.text_screen()
        else:
            screen = machine.screendump()
            assert screen[:2] == (1024, 768)
            lines = grub_disk.read_text(screen)
    assert f"(XEN) {message}" in lines
    console = [line for line in machine.log.read_text(errors="replace").splitlines() if line.startswith("(XEN)") and len(line) < 80]
    missing = [line for line in console if line not in lines]
    assert len(console) > 10 and not missing


@pytest.mark.skipif(STOCK, reason="after its multiboot2 GRUB does not start Linux any more")
def test_fallback(boot, disk):
    """What GRUB cannot load it names, and another entry boots: Linux without a hypervisor."""
    plain = ("linux /boot/vmlinuz console=ttyS0 panic=-1", "initrd /boot/dom0.img")
    # A hypervisor without kernel must not be started, which GRUB would do: its menu is started anew.
    no_kernel = ("if multiboot2 /boot/hypervisor; then if module2 /boot/gone-too; then true; else set failed=y; export failed; "
                 "configfile /boot/grub/grub.cfg; fi; fi",)
    menu = [entry("no hypervisor", "multiboot2 /boot/gone-as-well"), entry("garbage", "multiboot2 /boot/garbage"),
            entry("no kernel", *no_kernel), entry("plain", *plain)]
    settings = "set fallback='1 2'\nif [ \"$failed\" = y ]; then set default=3; fi\n"
    machine = boot(firmware="bios", disk=disk(*menu, settings=settings), mem=1536)
    for message in ("file `/boot/gone-as-well' not found", "no multiboot header found"):
        machine.expect(message, machines.BOOT)
        machine.expect("Press any key")
        machine.send(" ")
    machine.expect("file `/boot/gone-too' not found")
    machine.expect(r"Linux version \d", machines.BOOT)
