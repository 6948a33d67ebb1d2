# SPDX-License-Identifier: GPL-2.0-only
"""The menu that the package makes, booted: the tree of conftest.py becomes a disk with GRUB (BIOS), and QEMU starts from it."""
import shutil
import subprocess

import machine as machines
import pexpect
import pytest
from conftest import BUILD, IMAGE, LINUX, PARTITION, UUID, Tree

OLDER = "6.0.0-1-amd64"
FIRST = r"Tenon [0-9.]+, a drop-in for Xen"
PLAIN = r"Command line: BOOT_IMAGE=/boot/vmlinuz-{}"
COMMAND_LINE = """GRUB_CMDLINE_LINUX="console=ttyS0 panic=-1"
GRUB_CMDLINE_LINUX_DEFAULT=
GRUB_CMDLINE_LINUX_XEN_REPLACE="console=hvc0 agent"
GRUB_CMDLINE_TENON="dom0_mem=512M,max:512M console=com1 loglvl=info"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
"""


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
        tree.run("cp /usr/lib/grub/i386-pc/* /boot/grub/i386-pc")
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
    subprocess.run(["truncate", "-s", "128M", path], check=True)
    subprocess.run(["sfdisk", "-q", str(path)], input=f"{PARTITION // 512},,L,*\n", text=True, check=True)
    subprocess.run(["mkfs.ext4", "-q", "-U", UUID, "-d", boot, "-E", f"offset={PARTITION}", path, "126M"], check=True)
    shutil.rmtree(boot)
    assert len(core) < PARTITION - 512
    with open(path, "r+b") as image:
        image.write(sector[:440])
        image.seek(512)  # where boot.img looks for it, and core.img for the rest of itself
        image.write(core)
    yield path
    path.unlink()


class Boots:
    """QEMU from the disk, which may lack some files by then."""

    def __init__(self, disk, name, *commands):
        self.disk = disk.with_name(f"{name}.img")
        subprocess.run(["cp", "--sparse=always", disk, self.disk], check=True)
        for command in commands:
            done = subprocess.run(["debugfs", "-w", "-f", "-", f"{self.disk}?offset={PARTITION}"], input=command, text=True, capture_output=True)
            assert not [line for line in done.stderr.splitlines() if "debugfs 1." not in line], done.stderr
        self.log = open(machines.LOGS / f"packaging-{name}.log", "w")

    def __enter__(self):
        command = machines.emulator_command() + [
            "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-nodefaults", "-display", "none",
            "-serial", "stdio", "-drive", f"file={self.disk},format=raw,if=virtio,cache=unsafe"]
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


def test_the_default(disk):
    with Boots(disk, "default") as machine:
        machine.expect(r"Loading Tenon \(/boot/tenon")
        machine.expect(FIRST)


def test_once_is_for_one_boot(disk):
    """As `tenon-grub once` leaves it where plain Linux is the default; dom0's reboot is the way from one to the other."""
    folder = disk.parent
    with Boots(disk, "once", "".join(f"rm /boot/grub/{name}\nwrite {folder}/{name} /boot/grub/{name}\n" for name in ("grub.cfg", "grubenv"))) as machine:
        machine.expect(FIRST)
        machine.expect(r"dom0: agent ready\s")
        machine.child.send("reboot -f\n")
        assert machine.expect(PLAIN.format(LINUX), FIRST) == 0


@pytest.mark.parametrize("gone, message, kernel", [
    (IMAGE, f"not found: {IMAGE}", LINUX),
    (f"/boot/initrd.img-{LINUX}", f"not found: /boot/initrd.img-{LINUX}", OLDER)], ids=["hypervisor", "initrd"])
def test_a_missing_file_ends_in_plain_linux(disk, gone, message, kernel):
    with Boots(disk, "gone-" + gone.rsplit("/", 1)[-1].split("-")[0], f"rm {gone}\n") as machine:
        machine.expect(message)
        assert machine.expect(PLAIN.format(kernel), FIRST) == 0


def test_a_hypervisor_is_not_started_without_its_kernel(disk):
    """GRUB cannot read the kernel when the hypervisor is loaded already: it is larger than the memory."""
    with Boots(disk, "unreadable", f"set_inode_field /boot/vmlinuz-{LINUX} size 3221225472\n") as machine:
        machine.expect(f"its kernel /boot/vmlinuz-{LINUX} cannot be loaded")
        assert machine.expect("Booting `Debian GNU/Linux'", FIRST) == 0
