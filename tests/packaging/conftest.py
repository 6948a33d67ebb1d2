# SPDX-License-Identifier: GPL-2.0-only
"""The Debian package: what is in it, and what it does to a machine that it is installed on.

Installing happens in a tree that looks like an installed Debian: this machine's own /usr, /etc and /var, with overlays that take what
is written, and a /boot made up for the test, all in a mount namespace that ends with the test. dpkg, the maintainer scripts,
update-grub, grub-mkconfig and grub-probe are the real ones. It needs root, and the right to mount; where that is missing the tests
fail and say so.
"""
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
VERSION = (ROOT / "packaging/debian/changelog").read_text().split("(")[1].split(")")[0]
DEB = BUILD / f"tenon-hypervisor_{VERSION}_amd64.deb"
IMAGE = f"/boot/tenon-{VERSION}.gz"
LINUX = "6.1.0-1-amd64"
UUID = "11111111-2222-3333-4444-555555555555"
PARTITION = 1 << 20  # where the root begins on its disk
CONFIG = "CONFIG_X86_64=y\nCONFIG_XEN_PV=y\nCONFIG_XEN_DOM0=y\n"
PROCESSOR = "processor\t: 0\nflags\t\t: fpu pae nx lm sse2 svm\n"
sys.path.insert(0, str(ROOT / "dom0"))

# Answers in grub-probe's place: where the tree has no disk, and to play disks that cannot be had here.
PROBE = """#!/bin/sh
target=device
for word; do case $word in --target=*) target=${word#--target=} ;; esac; done
case $target in
device) echo ${PROBE_DEVICE:-/dev/sda1} ;;
fs) echo ${PROBE_FS:-ext2} ;;
fs_uuid) echo %s ;;
partmap) echo msdos ;;
abstraction) echo ${PROBE_ABSTRACTION-} ;;
esac
""" % UUID


def pytest_sessionstart():
    if not DEB.exists():
        pytest.exit(f"{DEB} is missing: run make deb", returncode=2)


LOOP_CTL_ADD, LOOP_CTL_REMOVE = 0x4C80, 0x4C81  # <linux/loop.h>


def loop_device():
    """A new loop device of two digits or more: GRUB's own scripts take those with one for file systems in files, and skip them."""
    with open("/dev/loop-control", "rb") as control:
        for number in range(10 + os.getpid() % 500, 1000):
            try:
                fcntl.ioctl(control, LOOP_CTL_ADD, number)
                return f"/dev/loop{number}"
            except FileExistsError:
                continue
    raise OSError("all loop devices are taken")


def remove_loop_device(path):
    """Its file is gone when the last mount is, which may be a moment after the namespace's last process."""
    subprocess.run(["losetup", "-d", path], capture_output=True)
    with open("/dev/loop-control", "rb") as control:
        for _ in range(50):
            try:
                return fcntl.ioctl(control, LOOP_CTL_REMOVE, int(path.removeprefix("/dev/loop")))
            except OSError:
                time.sleep(0.1)


class Tree:
    """A machine to install on: the root is a file system of its own with a real device, if loop devices are allowed here. Without
    them it is a folder, and grub-probe has a stand-in."""

    def __init__(self, path):
        self.path, self.disk, self.holder, self.loop = path, path.with_suffix(".img"), None, None

    def __enter__(self):
        self.clear()
        self.path.mkdir(parents=True)
        script = ["set -e", self.mount_root(), f"cd {self.path}", "mkdir -p boot/grub dev proc sys run tmp root usr etc var new"]
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.islink(f"/{name}"):
                script.append(f"ln -s {os.readlink(f'/{name}')} {name}")
        script.append("mount -t tmpfs new new")
        for name in ("usr", "etc", "var"):
            script += [f"mkdir new/{name} new/{name}.work",
                       f"mount -t overlay {name} -o lowerdir=/{name},upperdir=new/{name},workdir=new/{name}.work {name}"]
        for name in ("dev", "sys", "run", "tmp"):
            script.append(f"mount -t tmpfs {name} {name}")
        script += [f"cp -a /dev/{name} dev" for name in ("null", "zero", "full", "random", "urandom", "tty")]
        script += ["mkdir -p sys/firmware dev/disk/by-uuid", "mount --bind /proc proc", f"printf '{PROCESSOR}' >new/cpuinfo",
                   "mount --bind new/cpuinfo proc/cpuinfo"]
        if self.loop:
            script += [f"cp -a {self.loop} dev", f"ln -s ../..{self.loop.removeprefix('/dev')} dev/disk/by-uuid/{UUID}"]
        self.holder = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", "\n".join(script + ["echo ready", "exec sleep 86400"])],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            reason = self.holder.stderr.read().strip()
            self.__exit__()
            pytest.fail(f"these tests must be root and allowed to mount (tmpfs, overlay) in a namespace of their own: {reason}")
        self.furnish()
        return self

    def mount_root(self):
        subprocess.run(["truncate", "-s", "128M", self.disk], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-U", UUID, "-E", f"offset={PARTITION}", self.disk, "126M"], check=True)
        try:
            self.loop = loop_device()
            subprocess.run(["losetup", "-o", str(PARTITION), self.loop, self.disk], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            if self.loop:
                remove_loop_device(self.loop)
            self.loop = None
            return f"mount --bind {self.path} {self.path}"
        # Taken off at once: the device then goes with its last mount.
        return f"mount {self.loop} {self.path}; losetup -d {self.loop}"

    def stop(self):
        """Ends the namespace: everything is unmounted, the disk is whole."""
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()
        if self.loop:
            remove_loop_device(self.loop)

    def __exit__(self, *_):
        self.stop()
        self.clear()

    def clear(self):
        shutil.rmtree(self.path, ignore_errors=True)
        self.disk.unlink(missing_ok=True)

    def furnish(self):
        """A kernel with initrd, GRUB for both firmwares, a configuration, and a menu."""
        self.write("/boot/grub/i386-pc/multiboot2.mod", "")
        self.write("/boot/grub/x86_64-efi/multiboot2.mod", "")
        self.kernel(LINUX)
        self.write("/etc/default/grub", 'GRUB_DEFAULT=0\nGRUB_TIMEOUT=1\nGRUB_DISTRIBUTOR=Debian\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n'
                   'GRUB_CMDLINE_LINUX="console=ttyS0"\nGRUB_TERMINAL="console serial"\n')
        self.run("rm -f /etc/default/grub.d/* /var/lib/dpkg/lock*; grub-editenv /boot/grub/grubenv create")
        if not self.loop:
            self.stand_in()
        self.run("update-grub")

    def stand_in(self, **answers):
        """Puts PROBE in place of grub-probe, with other answers than its own."""
        lines = "".join(f"PROBE_{name.upper()}={value}\n" for name, value in answers.items())
        head, rest = PROBE.split("\n", 1)
        self.write("/usr/sbin/grub-probe", f"{head}\n{lines}{rest}", 0o755)
        self.write("/usr/bin/grub-mkrelpath", '#!/bin/sh\necho "$1"\n', 0o755)

    def kernel(self, version, config=CONFIG, initrd=True):
        self.write(f"/boot/vmlinuz-{version}", "a kernel\n")
        if config is not None:
            self.write(f"/boot/config-{version}", config)
        if initrd:
            self.write(f"/boot/initrd.img-{version}", "an initrd\n")

    def enter(self, command):
        return ["nsenter", "-t", str(self.holder.pid), "-m", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", "chroot", str(self.path), "/bin/sh", "-c", command]

    def run(self, command, status=0):
        """Runs a shell command inside; returns all that it printed."""
        result = subprocess.run(self.enter(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        if status is not None:
            assert result.returncode == status, f"{command}: status {result.returncode}\n{result.stdout}"
        return result.stdout

    def write(self, path, text, mode=0o644):
        subprocess.run(self.enter(f"mkdir -p '{os.path.dirname(path)}' && cat >'{path}' && chmod {mode:o} '{path}'"), input=text, text=True, check=True)

    def read(self, path):
        return self.run(f"cat '{path}'")

    def file(self, path):
        """Its bytes."""
        return subprocess.run(self.enter(f"cat '{path}'"), stdout=subprocess.PIPE, check=True).stdout

    def file_tree(self, path):
        """A folder, as tar packs it."""
        return subprocess.run(self.enter(f"tar -c '{path}'"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout

    def copy(self, file, path):
        """A file of this machine into the tree."""
        with open(file, "rb") as source:
            subprocess.run(self.enter(f"cat >'{path}'"), stdin=source, check=True)

    def exists(self, path):
        return self.run(f"test -e '{path}'", status=None) == "" and not subprocess.run(self.enter(f"test -e '{path}'")).returncode

    def copy_package(self):
        self.copy(DEB, "/tmp/tenon.deb")

    def install(self, status=0):
        """dpkg itself, so that what the package only recommends does not matter."""
        self.copy_package()
        return self.run("dpkg --force-unsafe-io --no-triggers -i /tmp/tenon.deb", status=status)

    def menu(self):
        return self.read("/boot/grub/grub.cfg")

    def update(self):
        """update-grub; what it says. The menu must be one that GRUB can read."""
        said = self.run("update-grub")
        self.run("grub-script-check /boot/grub/grub.cfg")
        return said

    def snapshot(self):
        """Every file of /boot and /etc, and what of /usr and /var the package could have left, with their contents' sums."""
        return self.run("find /boot /etc -type f -exec md5sum {} + | sort -k 2; find /boot /etc ! -type f | sort; "
                        "find /usr /var -newer /tmp/mark -type f ! -path '/var/lib/dpkg/*' ! -path '/var/cache/debconf/*' ! -path '/var/log/*' | sort")


@pytest.fixture
def tree():
    with Tree(BUILD / "packaging" / f"tree-{os.getpid()}") as made:
        yield made
