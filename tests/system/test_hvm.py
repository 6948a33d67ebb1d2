# SPDX-License-Identifier: GPL-2.0-only
"""HVM guests with the stock device model: firmware from the device model's disk to a boot sector of ours, GRUB or the model's own
loading of the kernel, the distribution's kernel with its PV drivers. All but the first are slow, as many accesses to devices are a
trip to the model: `make test-hvm` runs them."""
import os
import pathlib
import re
import subprocess
import tempfile

import grub_disk
import machine as machines
import pytest
from rig import MIGRATE, NOT_CPU0, domains, eventually, migrate, pages

MODEL = pathlib.Path("/usr/libexec/xen-qemu-system-i386")
FIRMWARE = ["/usr/share/seabios/bios-256k.bin", "/usr/share/seabios/vgabios-stdvga.bin", "/usr/share/qemu/linuxboot.bin",
            "/usr/share/qemu/linuxboot_dma.bin", "/usr/share/qemu/keymaps/en-us", "/usr/share/ovmf/OVMF.fd"]
CONFIG = NOT_CPU0 + """name="h"
type="hvm"
memory=192
vcpus=1
serial="pty"
usb=0
on_poweroff="destroy"
on_reboot="destroy"
on_crash="destroy"
"""
QUIET = 'vga="none"\nvnc=0\nnographic=1\n'
SECTOR = 'disk=["format=raw,vdev=hda,access=rw,target=/root/sector.img"]\n'
NETWORK = 'vif=["type=vif,bridge=xenbr0,mac=00:16:3e:00:00:02"]\n'
# hvc0 is the PV console; the early one is a port that we answer at once.
WORDS = "console=hvc0 earlyprintk=xen address=2"
CONFIGS = {
    "sector": CONFIG + QUIET + SECTOR,
    "screen": CONFIG + 'vga="stdvga"\nvnc=1\nvnclisten="127.0.0.1"\n' + SECTOR,
    "direct": CONFIG + QUIET + NETWORK + f"""kernel="/boot/vmlinuz"
ramdisk="/boot/guest.img"
cmdline="{WORDS}"
disk=["format=raw,vdev=xvda,access=rw,target=/root/disk.img"]
""",
    "grub": CONFIG.replace("vcpus=1", "vcpus=2") + QUIET + NETWORK + 'disk=["format=raw,vdev=hda,access=rw,target=/root/grub.img"]\n',
    "uefi": CONFIG.replace("192", "512") + QUIET + 'firmware="ovmf"\ndisk=["format=raw,vdev=hda,access=rw,target=/root/grub.img"]\n',
}
MENU = f"""serial --unit=0
terminal_output serial
set timeout=0
if [ $grub_platform = efi ]; then echo GRUB by UEFI; reboot; fi
menuentry 'guest' {{
    linux /boot/vmlinuz {WORDS}
    initrd /boot/guest.img
}}
"""


def model():
    """The device model with all that it needs, at the same paths."""
    libraries = re.findall(r"(?:=> )?(/\S+) \(0x", subprocess.run(["ldd", MODEL], check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {path.lstrip("/"): pathlib.Path(path).read_bytes() for path in [str(MODEL), *libraries, *FIRMWARE]}


def sector(scratch):
    """A disk of 1 MiB that starts with the boot sector."""
    compiled, binary = scratch / "sector.elf", scratch / "sector.bin"
    source = pathlib.Path(__file__).with_name("boot_sector.S")
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x7c00,-estart,--build-id=none,-m,elf_i386", "-o", compiled, source], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", compiled, binary], check=True)
    return binary.read_bytes().ljust(1 << 20, b"\0")


def files(slow):
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        found = {f"root/{name}.cfg": text for name, text in CONFIGS.items()}
        found.update(model())
        found["root/sector.img"] = sector(scratch)
        if slow:
            guest = scratch / "guest.img"
            unpacked = subprocess.run(["gzip", "-dc", machines.IMAGE], check=True, stdout=subprocess.PIPE).stdout
            subprocess.run(["cpio", "-i", "--quiet", "--to-stdout", "boot/guest.img"], input=unpacked, check=True, stdout=guest.open("wb"))
            disk = grub_disk.make(scratch / "disk.img", MENU, {"boot/vmlinuz": machines.KERNEL, "boot/guest.img": guest}, megabytes=48)
            found["root/grub.img"] = disk.read_bytes()
    return found


def MACHINE():
    return dict(smp=2, mem=3072, dom0_mem=1536, append="guest_loglvl=all", files=files(os.environ.get("TENON_SLOW")))


def gone(system, before, less=0):
    """The domain and all its memory; the device model with its files and event channels has let go of it."""
    eventually("the domain is gone", lambda: list(domains(system)) == ["Domain-0"])
    eventually("its device model is gone", lambda: "xen-qemu" not in system.dom0("ps"))
    assert before - less <= pages(system).free <= before


@pytest.fixture(scope="module")
def before(shared):
    # dom0's part in a guest is there from the first one on.
    shared.machine.dom0("xl create -q -p sector.cfg || { cat /var/log/xen/qemu-dm-h.log; false; }; xl destroy h", timeout=120)
    return pages(shared.machine).free


def says(system, line):
    """Waits for it with one command, so that looking takes little of the machine."""
    system.dom0(f"n=0; until xl dmesg | grep -q '{line}'; do n=$((n+1)); [ $n -lt 300 ] || exit 1; sleep 1; done", timeout=400)


def moves(system, move, least=2):
    """The counting boot sector is moved while it counts: it goes on with the next number. It asks its device model all the time; a
    question that is open then is answered before or afterwards, and not twice."""
    says(system, f"boot sector counts {least:04}")
    move()
    says(system, "boot sector: was moved")
    counts = re.findall(r"counts (\d+)", system.dom0("xl dmesg | sed -n 's/^(XEN)/:/; /boot sector counts/p'"))
    assert [int(count) for count in counts] == list(range(1, len(counts) + 1)) and len(counts) > least, counts


def test_firmware_and_boot_sector(system, before):
    """16-bit code, timer interrupts, string instructions on what no memory is behind; saved and restored; a reset that the device
    model hears."""
    system.dom0("xl dmesg -c >/run/old; xl create -q sector.cfg", timeout=120)
    for line in ("HVM Loader", "SeaBIOS (version", "boot sector runs", "boot sector: ten ticks", "boot sector: screen memory"):
        says(system, line)
    moves(system, lambda: system.dom0("xl save h h.save && xl restore h.save && rm h.save", timeout=240))
    gone(system, before)


@pytest.mark.slow
def test_screen(system, before):
    """The same with a screen, shown over VNC: each character that firmware writes is many trips to the device model."""
    system.dom0("xl dmesg -c >/run/old; xl create -q screen.cfg", timeout=120)
    port = system.dom0("ifconfig lo up; xenstore-read /local/domain/$(xl domid h)/console/vnc-port").strip()
    # A version that nobody speaks ends the connection.
    assert "RFB 003.008" in system.dom0(f"printf 'RFB 000.000\\n' | nc -w 5 127.0.0.1 {port} | head -c 12; echo")
    says(system, "boot sector: screen memory keeps what it gets")
    moves(system, lambda: system.dom0(MIGRATE.format("h"), timeout=600))
    gone(system, before)


def start(system, name):
    system.dom0(f"rm -f /var/log/xen/console/guest-h.log; xl create -q {name}.cfg", timeout=240)
    system.guest_says("^guest: ready", name="h", timeout=900)
    assert re.search(r"Hypervisor detected: Xen HVM|Booting kernel on Xen HVM", system.guest("dmesg | sed s,^,:,", name="h")), name
    assert "2 packets received" in system.guest("ping -c 2 -W 10 192.0.2.1", name="h")


@pytest.mark.slow
def test_kernel_loaded_by_the_model(system, before):
    start(system, "direct")
    sums = system.guest("head -c 1048576 /dev/urandom >/x; md5sum </x; dd if=/x of=/dev/xvda bs=64k conv=fsync 2>/dev/null; "
                        "echo 3 >/proc/sys/vm/drop_caches; head -c 1048576 /dev/xvda | md5sum", name="h").split()
    assert sums[0] == sums[2] and len(sums[0]) == 32
    system.guest("echo kept >/note", name="h")
    system.dom0("xl save -c h h.save", timeout=600)
    assert "2 packets received" in system.guest("ping -c 2 -W 10 192.0.2.1", name="h")
    system.dom0("xl save h h.save", timeout=600)
    assert "h" not in domains(system)
    system.dom0("xl restore h.save; rm h.save", timeout=600)
    assert system.guest("cat /note", name="h", timeout=120).strip() == "kept"
    assert "2 packets received" in system.guest("ping -c 2 -W 10 192.0.2.1", name="h")
    migrate(system, "h")
    system.dom0("xl pause h; xl unpause h; xl shutdown -w h", timeout=240)
    gone(system, before, 1)  # with the first network card dom0's own tables may grow


@pytest.mark.slow
def test_disk_with_a_boot_loader(system, before):
    """As installed machines start; two processors, which firmware starts for the kernel to find."""
    start(system, "grub")
    assert system.guest("grep -c ^processor /proc/cpuinfo", name="h").strip() == "2"
    interrupts = system.guest("cat /proc/interrupts", name="h")
    assert re.search(r"IO-APIC +\d+-(edge|fasteoi)", interrupts), interrupts
    migrate(system, "h")
    assert system.guest("grep -c ^processor /proc/cpuinfo", name="h").strip() == "2"
    system.dom0("xl destroy h")
    gone(system, before, 1)


@pytest.mark.slow
@pytest.mark.stock_fails("the emulated processor does not say which register a MOV from CR8 names, and it does not look")
def test_uefi_firmware(system, before):
    """Debian's OVMF, which finds and starts GRUB on the disk's UEFI system partition; the reset is the firmware's. It knows nothing of
    Xen's tables, so a kernel would have no ACPI."""
    system.dom0("xl create -q -p uefi.cfg; cat $(xenstore-read /local/domain/$(xl domid h)/serial/0/tty) >/run/serial 2>/dev/null & "
                "sleep 2; xl unpause h", timeout=240)
    eventually("GRUB says that it runs", lambda: "GRUB by UEFI" in system.dom0("cat /run/serial"), 300)
    gone(system, before)
