# SPDX-License-Identifier: GPL-2.0-only
"""A boot loader as a guest's kernel: the distribution's GRUB for PVH guests, which is 32-bit code from its first instruction to its
last. It speaks to the console and xenstore by 2-level events of the 32-bit layout, reads its disk by grants, and then starts a 64-bit
kernel in its place, which sets everything up anew."""
import pathlib
import re

import pytest
from rig import NOT_CPU0, domains, eventually, stop_guests

GRUB = pathlib.Path("/usr/lib/grub-xen/grub-i386-xen_pvh.bin")
CONFIG = NOT_CPU0 + """name="{name}"
type="pvh"
kernel="/root/grub.bin"
memory=192
vcpus={vcpus}
{more}
on_poweroff="destroy"
on_reboot="destroy"
on_crash="preserve"
"""
MENU = """set timeout=0
echo "from the menu"
menuentry "the only one" {
    linux /boot/vmlinuz console=hvc0 quiet address=2
    initrd /boot/guest.img
}
"""
FILES = {
    "root/prompt.cfg": CONFIG.format(name="prompt", vcpus=1, more=""),
    "root/loader.cfg": CONFIG.format(name="loader", vcpus=2, more='disk=["format=raw,vdev=xvda,access=rw,target=/root/boot.tar"]\n'
                                     'vif=["bridge=xenbr0,mac=00:16:3e:00:00:02"]'),
    "root/boot/grub/grub.cfg": MENU,
}
MACHINE = dict(smp=2, files=FILES)
if GRUB.exists():
    FILES["root/grub.bin"] = GRUB.read_bytes()

# Slow: under emulation each exit of a translated guest costs a flush of the emulator's own translations.
pytestmark = [pytest.mark.slow, pytest.mark.stock_fails("such guests end before their first hypercall"),
              pytest.mark.skipif(not GRUB.exists(), reason="there is no GRUB for PVH guests: package grub-xen-host")]


def test_prompt(system):
    """Without a disk it asks what to do, on its console, and hears the answer."""
    system.dom0("xl create -q prompt.cfg")
    system.guest_says("grub>", name="prompt")
    tty = system.dom0("xenstore-read /local/domain/$(xl domid prompt)/console/tty").strip()
    system.dom0(f"printf 'regexp --set=1:x b(.)d b9d; echo =$x$x=\\r' >{tty}")
    system.guest_says("=99=", name="prompt")
    # Its own clock goes on while it waits for us.
    system.dom0(f"printf 'sleep 1; echo awake=$x\\r' >{tty}")
    system.guest_says("awake=9", name="prompt")
    system.dom0(f"printf 'reboot\\r' >{tty}")
    eventually("it has ended", lambda: "prompt" not in domains(system))


def test_starts_the_kernel_on_its_disk(system):
    """GRUB understands tar archives: one is the disk."""
    system.dom0("ln /boot/vmlinuz /boot/guest.img boot/; tar cf boot.tar boot")
    system.dom0("xl create -q loader.cfg")
    system.guest_says("from the menu", name="loader")
    system.guest_says("^guest: ready", name="loader")
    assert system.guest("uname -m; grep -c ^processor /proc/cpuinfo", name="loader").split() == ["x86_64", "2"]
    assert "2 packets received" in system.guest("ping -c 2 -W 10 192.0.2.1", name="loader")
    assert "boot/grub/grub.cfg" in system.guest("tar tf /dev/xvda", name="loader")
    # All of its interrupts come by events, in the layout of 64-bit code now.
    interrupts = system.guest("cat /proc/interrupts", name="loader")
    assert re.search(r"xen-(?:dyn|percpu)", interrupts)
    stop_guests(system)
