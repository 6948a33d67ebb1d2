# SPDX-License-Identifier: GPL-2.0-only
"""The menu that the package makes, booted: the tree of conftest.py becomes a disk with GRUB (BIOS), and QEMU starts from it."""
import shutil
import subprocess

import machine as machines
import pexpect
import pytest
from conftest import BUILD, IMAGE, LINUX, PARTITION, UUID, Tree

EFI_PARTITION = 127 << 20
OLDER = "6.0.0-1-amd64"
FIRST = r"Tenon [0-9.]+, a drop-in for Xen"
PLAIN = r"Command line: BOOT_IMAGE=/boot/vmlinuz-{}"
COMMAND_LINE = """GRUB_CMDLINE_LINUX="console=ttyS0 panic=-1"
GRUB_CMDLINE_LINUX_DEFAULT=
GRUB_CMDLINE_LINUX_XEN_REPLACE="console=hvc0 agent"
GRUB_CMDLINE_TENON="dom0_mem=512M,max:512M console=com1 loglvl=info"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
"""


def efi_partition(path):
    """What Debian installs for UEFI with Secure Boot: shim and GRUB as Debian has signed them, and where they find the menu."""
    signed = BUILD / "packaging" / "signed"
    if not signed.exists():
        work = signed.with_suffix(".new")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        download = "apt-get -o APT::Sandbox::User=root download -qq shim-signed grub-efi-amd64-signed"
        subprocess.run(f"{download} || {{ apt-get update -qq && {download}; }}", shell=True, cwd=work, check=True)
        for package in work.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, work], check=True)
        work.rename(signed)
    start = path.parent / "grub.cfg.efi"
    start.write_text(f"search.fs_uuid {UUID} root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n")
    where = ["-i", f"{path}@@{EFI_PARTITION}"]
    subprocess.run(["mkfs.fat", "-F", "16", "--offset", str(EFI_PARTITION // 512), path, "16384"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["mmd", *where, "::EFI", "::EFI/BOOT", "::EFI/debian"], check=True)
    for file, name in ((signed / "usr/lib/shim/shimx64.efi.signed", "BOOT/BOOTX64.EFI"),
                       (signed / "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", "BOOT/grubx64.efi"), (start, "debian/grub.cfg")):
        subprocess.run(["mcopy", *where, file, f"::EFI/{name}"], check=True)


@pytest.fixture(scope="module")
def disk():
    """A disk with the package installed, two kernels, and Tenon as the default. Its file system has the tree's UUID."""
    path, boot = BUILD / "packaging" / "boot.img", BUILD / "packaging" / "disk"
    with Tree(BUILD / "packaging" / "bootable") as tree:
        tree.write("/etc/default/grub.d/test.cfg", COMMAND_LINE)
        for version in (LINUX, OLDER):
            tree.kernel(version)
            tree.copy(machines.KERNEL, f"/boot/vmlinuz-{version}")
            tree.copy(machines.IMAGE, f"/boot/initrd.img-{version}")
        tree.run("for p in i386-pc x86_64-efi; do cp /usr/lib/grub/$p/*.mod /usr/lib/grub/$p/*.lst /boot/grub/$p; done")
        tree.install()
        tree.run("tenon-grub once")
        for name in ("grub.cfg", "grubenv"):
            (path.parent / name).write_bytes(tree.file(f"/boot/grub/{name}"))
        tree.run("tenon-grub fallback; tenon-grub default")
        tree.run("grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /tmp/core.img biosdisk part_msdos ext2")
        core, sector = tree.file("/tmp/core.img"), tree.file("/usr/lib/grub/i386-pc/boot.img")
        shutil.rmtree(boot, ignore_errors=True)
        boot.mkdir()
        subprocess.run(["tar", "-x", "-C", boot], input=tree.file_tree("/boot"), check=True)
    subprocess.run(["truncate", "-s", "144M", path], check=True)
    table = f"{PARTITION // 512},126MiB,L,*\n{EFI_PARTITION // 512},16MiB,U\n"
    subprocess.run(["sfdisk", "-q", str(path)], input=table, text=True, check=True)
    subprocess.run(["mkfs.ext4", "-q", "-U", UUID, "-d", boot, "-E", f"offset={PARTITION}", path, "126M"], check=True)
    shutil.rmtree(boot)
    efi_partition(path)
    assert len(core) < PARTITION - 512
    with open(path, "r+b") as image:
        image.write(sector[:440])
        image.seek(512)  # where boot.img looks for it, and core.img for the rest of itself
        image.write(core)
    yield path
    path.unlink()


class Boots:
    """QEMU from the disk, after debugfs(8) has done some commands to it."""

    def __init__(self, disk, name, commands="", firmware="bios"):
        self.firmware, self.disk = firmware, disk.with_name(f"{name}.img")
        subprocess.run(["cp", "--sparse=always", disk, self.disk], check=True)
        done = subprocess.run(["debugfs", "-w", "-f", "-", f"{self.disk}?offset={PARTITION}"], input=commands, text=True, capture_output=True)
        assert not [line for line in done.stderr.splitlines() if "debugfs 1." not in line], done.stderr
        machines.LOGS.mkdir(parents=True, exist_ok=True)
        self.log = open(machines.LOGS / f"packaging-{name}.log", "w")

    def __enter__(self):
        command = machines.emulator_command() + [
            "-machine", "q35,smm=on" if self.firmware == "secure" else "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
            "-m", "1024", "-nodefaults", "-display", "none", "-vga", "std", "-serial", "stdio",
            "-drive", f"file={self.disk},format=raw,if=virtio,cache=unsafe"]
        if self.firmware != "bios":
            code, variables = {"uefi": ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"), "secure": ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd")}[self.firmware]
            command += ["-drive", f"if=pflash,format=raw,readonly=on,file={machines.OVMF}/{code}",
                        "-drive", f"if=pflash,format=raw,snapshot=on,file={machines.OVMF}/{variables}",
                        "-global", "driver=cfi.pflash01,property=secure,value=on"]
        self.child = pexpect.spawn(command[0], command[1:], encoding="utf-8", codec_errors="replace", timeout=machines.BOOT / 2, echo=False)
        self.child.logfile_read = self.log
        return self

    def __exit__(self, *_):
        self.child.close(force=True)
        self.log.close()
        self.disk.unlink()

    def expect(self, *patterns):
        """Waits for one of them; returns which."""
        index = self.child.expect([*patterns, pexpect.EOF, pexpect.TIMEOUT])
        assert index < len(patterns), f"{patterns} did not come; see {self.log.name}:\n{self.child.before[-3000:]}"
        return index


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_the_default(disk, firmware):
    with Boots(disk, f"default-{firmware}", firmware=firmware) as machine:
        machine.expect(r"Loading Tenon \(/boot/tenon")
        machine.expect(FIRST)
        machine.expect(r"Brought up 2 CPUs")


def test_secure_boot_ends_in_plain_linux(disk):
    """GRUB as Debian signs it refuses whatever is not signed; Debian's kernel is."""
    with Boots(disk, "secure-boot", firmware="secure") as machine:
        machine.expect(f"Tenon is not started: GRUB refuses {IMAGE}")
        assert machine.expect(r"secureboot: Secure boot enabled", FIRST) == 0


def test_once_is_for_one_boot(disk):
    """As `tenon-grub once` leaves it where plain Linux is the default; dom0's reboot is the way from one to the other."""
    folder = disk.parent
    commands = "".join(f"rm /boot/grub/{name}\nwrite {folder}/{name} /boot/grub/{name}\n" for name in ("grub.cfg", "grubenv"))
    with Boots(disk, "once", commands) as machine:
        machine.expect(FIRST)
        machine.expect(r"dom0: agent ready\s")
        machine.child.send("reboot -f\n")
        assert machine.expect(PLAIN.format(LINUX), FIRST) == 0


@pytest.mark.parametrize("commands, message, kernel", [
    (f"rm {IMAGE}\n", f"missing or empty: {IMAGE}", LINUX),
    (f"set_inode_field /boot/initrd.img-{LINUX} size 0\n", f"missing or empty: /boot/initrd.img-{LINUX}", OLDER)], ids=["no-hypervisor", "empty-initrd"])
def test_a_missing_file_ends_in_plain_linux(disk, commands, message, kernel, request):
    with Boots(disk, request.node.callspec.id, commands) as machine:
        machine.expect(message)
        assert machine.expect(PLAIN.format(kernel), FIRST) == 0


def test_a_hypervisor_is_not_started_without_its_kernel(disk):
    """GRUB cannot read the kernel when the hypervisor is loaded already: it is larger than the memory."""
    with Boots(disk, "unreadable", f"set_inode_field /boot/vmlinuz-{LINUX} size 3221225472\n") as machine:
        machine.expect(f"its kernel /boot/vmlinuz-{LINUX} cannot be loaded")
        assert machine.expect("Booting `Debian GNU/Linux'", FIRST) == 0
