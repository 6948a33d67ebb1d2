# SPDX-License-Identifier: GPL-2.0-only
"""From a disk by GRUB, on machines with BIOS and with UEFI firmware: to dom0's shell and back to power off or reset."""
import re

import pytest

import grub_disk
import machine as machines
from conftest import HYPERVISOR

OPTIONS = "console=com1,vga com1=115200,8n1 loglvl=info dom0_mem=512M,max:512M"
CONFIG = f"""
serial --unit=0
terminal_input serial console
terminal_output serial console
set timeout=0
insmod all_video
menuentry dom0 {{
    multiboot2 /boot/hypervisor {OPTIONS}
    module2 /boot/vmlinuz console=tty0 console=hvc0 earlyprintk=xen agent
    module2 --nounzip /boot/dom0.img
}}
"""


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    files = {"boot/hypervisor": machines.BUILD / "tenon.gz" if HYPERVISOR == machines.TENON.resolve() else HYPERVISOR,
             "boot/vmlinuz": machines.KERNEL, "boot/dom0.img": machines.IMAGE}
    return grub_disk.make(tmp_path_factory.mktemp("grub") / "disk.img", CONFIG, files)


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_dom0(boot, disk, firmware):
    machine = boot(firmware=firmware, disk=disk, mem=1536)
    machine.boot()
    assert re.search(r"^xen_version +: 4\.17", machine.dom0("xl info"), re.M)
    machine.send("poweroff -f\n" if firmware == "bios" else "reboot -f\n")
    assert machine.ended() == ("guest-shutdown" if firmware == "bios" else "guest-reset")
