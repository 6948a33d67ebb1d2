# SPDX-License-Identifier: GPL-2.0-only
"""Boot inputs that cannot work: one line on the console says what is wrong, then the machine stands still. Never a triple fault."""
import re
import time

import pexpect
import pytest
from machine import IMAGE, KERNEL

CRASH = "FATAL TRAP|Tenon crash"
OPTIONS = {"mem": 1024, "dom0_mem": 512, "append": "noreboot"}


def halts(machine, reason, quiet=3):
    machine.expect(rf"[^\r\n]*(?:{reason})[^\r\n]*", 60, f"a line that says '{reason}'", dead=CRASH)
    end = time.monotonic() + quiet  # what follows may be a report, but neither a reset nor dom0
    while time.monotonic() < end:
        index = machine.child.expect([pexpect.EOF, "Linux version", pexpect.TIMEOUT], timeout=max(0.1, end - time.monotonic()))
        assert index != 0, "the machine stopped"
        assert index != 1, "dom0 was started all the same"
    assert machine.running()
    assert not machine.triple_fault()
    assert not re.search(CRASH, machine.log.read_text()), "it crashed instead of refusing"


def kernel(tmp_path, change):
    """A changed copy of the kernel, as multiboot modules with the usual image."""
    file = tmp_path / "kernel"
    file.write_bytes(change(bytearray(KERNEL.read_bytes())))
    return [(file, "console=hvc0"), (IMAGE, "")]


def corrupted(image):
    middle = len(image) // 2
    image[middle:middle + 64] = bytes(byte ^ 0x55 for byte in image[middle:middle + 64])
    return image


def test_no_module(boot):
    halts(boot(**OPTIONS, modules=[]), r"(?i:no (?:dom0 )?kernel|no (?:boot )?module|kernel not specified)")


def test_module_is_no_kernel(boot, tmp_path):
    halts(boot(**OPTIONS, modules=kernel(tmp_path, lambda _: b"this is no kernel\n" * 1000)), r"(?i:not an? (?:ELF|kernel|bzImage)|no kernel|unknown (?:kernel|image))")


@pytest.mark.stock_fails("page fault while it reads before the module's start")
def test_module_is_empty(boot, tmp_path):
    halts(boot(**OPTIONS, modules=kernel(tmp_path, lambda _: b"")), r"(?i:not an? (?:ELF|kernel|bzImage)|empty|no kernel|unknown (?:kernel|image)|too (?:short|small))")


@pytest.mark.stock_fails("it does not say so")
def test_initrd_is_empty(boot, tmp_path):
    (tmp_path / "initrd").touch()
    machine = boot(**OPTIONS, modules=[(KERNEL, "console=hvc0"), (tmp_path / "initrd", "")])
    machine.expect("dom0 gets no initrd: module 1 is empty", 60, "a line on the initrd")
    machine.expect("Linux version", 60, "dom0's kernel")


@pytest.mark.stock_fails("page fault while it reads past the module's end")
def test_truncated_kernel(boot, tmp_path):
    halts(boot(**OPTIONS, modules=kernel(tmp_path, lambda image: image[:1 << 20])), r"(?i:truncated|incomplete|beyond|ends|too short|corrupt)")


def test_corrupt_kernel(boot, tmp_path):
    halts(boot(**OPTIONS, modules=kernel(tmp_path, corrupted)), r"(?i:corrupt|damaged|checksum|decompress|unpack)")


def test_kernel_without_xen_notes(boot, tmp_path):
    program = open("/bin/busybox", "rb").read()  # a fine static ELF, but no Xen guest
    halts(boot(**OPTIONS, modules=kernel(tmp_path, lambda _: program)), r"(?i:\bnotes?\b|generic loader)")


def test_dom0_larger_than_the_machine(boot):
    halts(boot(**{**OPTIONS, "dom0_mem": 8192}), r"(?i:not enough (?:RAM|memory)|dom0_mem.*(?:more|larger|exceed|only))")


def test_cpu_without_long_mode(boot):
    halts(boot(**OPTIONS, cpu="qemu64,-lm"), r"(?i:64-bit|long mode)")


@pytest.mark.stock_fails("it says nothing of options that it does not know")
def test_unknown_option_is_named_and_ignored(boot):
    machine = boot(**{**OPTIONS, "append": "noreboot frobnicate=1"})
    machine.expect(r"(?i:(?:unknown|ignor)[^\r\n]*frobnicate|frobnicate[^\r\n]*(?:unknown|ignor))", 60, "a line on the unknown option")
    machine.expect("Linux version", 60, "dom0's kernel")
