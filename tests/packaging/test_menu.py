# SPDX-License-Identifier: GPL-2.0-only
"""/etc/grub.d/20_linux_tenon: which entries it makes of which machine and configuration."""
import os
import re

import pytest
from conftest import BUILD, CONFIG, IMAGE, LINUX, UUID, VERSION, Tree

ENTRY = re.compile(r"^(menuentry|submenu) '((?:[^']|'\\'')*)'.*\$menuentry_id_option '([^']*)'", re.M)


def section(tree):
    return tree.menu().split("### BEGIN /etc/grub.d/20_linux_tenon ###\n")[1].split("### END")[0]


def entries(tree):
    """{id: title} in their order."""
    return {match[3]: match[2] for match in ENTRY.finditer(section(tree))}


def lines(tree, command):
    """The arguments of each such command, of the entries in their order."""
    return re.findall(rf"^\s*if {command} (.*); then$", section(tree), re.M)


@pytest.fixture(scope="module")
def machine():
    with Tree(BUILD / "packaging" / f"menu-{os.getpid()}") as made:
        made.install()
        made.run("cp -a /boot /etc/default/grub.d /usr/bin/grub-mkrelpath /usr/sbin/grub-probe /root")
        yield made


@pytest.fixture
def installed(machine):
    """The file's machine, in the state it had when the package was installed."""
    machine.run("find /boot -mindepth 1 -delete; cp -a /root/boot/. /boot; rm -r /etc/default/grub.d; cp -a /root/grub.d /etc/default;"
                "cp -a /root/grub-mkrelpath /usr/bin; cp -a /root/grub-probe /usr/sbin")
    return machine


def configure(tree, text):
    tree.write("/etc/default/grub.d/yours.cfg", text)
    return tree.update()


def test_entries(installed):
    installed.kernel("6.9.0-1-amd64")
    installed.kernel("6.10.0-1-amd64", initrd=False)
    installed.kernel("6.11.0-1-cloud", CONFIG.replace("CONFIG_XEN_PV=y\n", ""))
    installed.kernel("6.12.0-1-own", config=None)
    installed.kernel("6.13.0-1-686", CONFIG.replace("CONFIG_X86_64=y\n", ""))
    installed.write("/boot/vmlinuz-6.14 odd$name", "a kernel\n")
    said = installed.update()
    names = entries(installed)
    assert list(names) == ["tenon", "tenon-advanced"] + [
        f"tenon-{VERSION}-{kernel}{mode}" for kernel in ("6.10.0-1-amd64", "6.9.0-1-amd64", LINUX) for mode in ("", "-recovery")]
    assert names["tenon"] == "Debian GNU/Linux, with Tenon"
    assert names["tenon-advanced"] == "Advanced options for Debian GNU/Linux (with Tenon)"
    assert names[f"tenon-{VERSION}-{LINUX}-recovery"] == f"Debian GNU/Linux, with Tenon {VERSION} and Linux {LINUX} (recovery mode)"
    for kernel, why in (("6.11.0-1-cloud", "CONFIG_XEN_PV=y"), ("6.12.0-1-own", "there is no /boot/config"), ("6.13.0-1-686", "CONFIG_X86_64=y"),
                        ("6.14 odd$name", "its name has characters")):
        assert re.search(rf"vmlinuz-{re.escape(kernel)} cannot be dom0, no entry: .*{why}", said), kernel
    assert lines(installed, "multiboot2") == [IMAGE] * 7
    kernels = lines(installed, "module2")
    assert kernels[0].startswith("/boot/vmlinuz-6.10.0-1-amd64 root=/dev/")  # without an initrd no UUID can be found
    if installed.loop:
        assert f"/boot/vmlinuz-{LINUX} root=UUID={UUID} ro console=ttyS0 quiet" in kernels
        assert f"/boot/vmlinuz-{LINUX} root=UUID={UUID} ro single console=ttyS0" in kernels
    assert f"--nounzip /boot/initrd.img-{LINUX}" in kernels
    # Neither takes the other's files: Xen's script has nothing to say here, plain Linux's no hypervisor.
    assert "with Xen" not in installed.menu() and installed.menu().count("multiboot2 /") == 7


def test_beside_xen(installed):
    """Debian's own hypervisor package has its entries too; who is the default is said."""
    installed.run(f"cp {IMAGE} /boot/xen-4.17-amd64.gz")
    installed.write("/etc/default/grub.d/xen.cfg", 'GRUB_DEFAULT="Debian GNU/Linux, with Xen hypervisor"\n')
    installed.update()
    menu = installed.menu()
    assert "with Xen hypervisor" in menu
    assert "/boot/xen-4.17" not in section(installed) and "tenon" not in menu.split("20_linux_xen ###")[1]
    assert 'default entry: "Debian GNU/Linux, with Xen hypervisor"' in installed.run("tenon-grub status")
    installed.run("tenon-grub default")
    assert "default entry: Tenon" in installed.run("tenon-grub status")


def test_two_versions(installed):
    installed.run(f"cp {IMAGE} /boot/tenon-0.0.9.gz; cp {IMAGE} /boot/tenon-{VERSION}.gz.dpkg-old")
    installed.update()
    found = [name for name in entries(installed) if name.endswith(LINUX)]
    assert found == [f"tenon-{VERSION}-{LINUX}", f"tenon-0.0.9-{LINUX}"]


def test_submenu_and_recovery_can_be_off(installed):
    configure(installed, "GRUB_DISABLE_SUBMENU=y\nGRUB_DISABLE_RECOVERY=true\nGRUB_SAVEDEFAULT=true\n")
    assert list(entries(installed)) == ["tenon", f"tenon-{VERSION}-{LINUX}"]
    assert section(installed).count("\tsavedefault\n") == 2


@pytest.mark.parametrize("text, normal, recovery", [
    ('GRUB_CMDLINE_XEN="a=1"\nGRUB_CMDLINE_XEN_DEFAULT="b"', " a=1 b", " a=1"),
    ('GRUB_CMDLINE_XEN="a"\nGRUB_CMDLINE_XEN_DEFAULT="b"\nGRUB_CMDLINE_TENON="c"', " c b", " c"),
    ('GRUB_CMDLINE_XEN="a"\nGRUB_CMDLINE_XEN_DEFAULT="b"\nGRUB_CMDLINE_TENON_DEFAULT=', " a", " a"),
    ('GRUB_CMDLINE_TENON_DEFAULT="dom0_mem=2G,max:2G  com1=115200,8n1"', " dom0_mem=2G,max:2G com1=115200,8n1", "")])
def test_options_of_the_hypervisor(installed, text, normal, recovery):
    configure(installed, text + "\n")
    assert lines(installed, "multiboot2") == [IMAGE + normal, IMAGE + normal, IMAGE + recovery]


def test_options_of_the_kernel(installed):
    configure(installed, 'GRUB_CMDLINE_LINUX_XEN_REPLACE="console=hvc0"\nGRUB_CMDLINE_LINUX_XEN_REPLACE_DEFAULT="loud"\n')
    kernels = [line for line in lines(installed, "module2") if "vmlinuz" in line]
    assert [line.split(" ro ")[1] for line in kernels] == ["console=hvc0 loud"] * 2 + ["single console=hvc0"]
    assert "console=ttyS0 quiet" in installed.menu()  # plain Linux's are as they were


@pytest.mark.parametrize("value, words", [
    ("a='b c' d=\"e f\"", "'a=b c' 'd=e f'"),
    ("it\\'s", "'it'\\''s'"),
    ("$(reboot) `reboot` $HOME ${x", "'$(reboot)' '`reboot`' '$HOME' '${x'"),
    ("} menuentry x { ; | & < > # !", "'}' menuentry x '{' ';' '|' '&' '<' '>' '#' '!'"),
    ("one\ntwo\tthree\rfour\x01five", "one two three four five"),
    ("never 'closed and on", "never 'closed and on'"),
    ("back\\\\slash end\\", "'back\\slash' end"),
    ("näme=wért", "'näme=wért'"),
    ("", "")])
def test_whatever_is_written_the_menu_is_sound(installed, value, words):
    """As options of the hypervisor and of the kernel; configure() has GRUB's own check of the result."""
    quoted = "'" + value.replace("'", "'\\''") + "'"
    said = configure(installed, f"GRUB_CMDLINE_TENON={quoted}\nGRUB_CMDLINE_LINUX_XEN_REPLACE={quoted}\n")
    expected = f" {words}" if words else ""
    assert lines(installed, "multiboot2")[0] == IMAGE + expected
    if words:
        assert lines(installed, "module2")[0].split(" ro ")[1] == f"{words} quiet"
    assert ("a quote is not closed" in said) == ("never" in value)


def test_unknown_options_are_named(installed):
    configure(installed, 'GRUB_CMDLINE_TENON="dom0_mem=1G frobnicate=1 no-x2apic smt -- quiet"\n')
    said = installed.run("tenon-grub check")
    assert [line.split("'")[1] for line in said.splitlines() if line.startswith("note  options")] == ["frobnicate", "smt"]


@pytest.mark.parametrize("value, fault", [
    ("2048", "gives dom0 2 MiB, too little"), ("900G", f"asks for {900 << 10} MiB, the machine has"), ("min:900G,1G", "asks for"),
    ("900G,max:1G", ""), ("-512M", ""), ("1G,max:1G", ""), ("max:2G", ""), ("odd", "")])
def test_memory_of_dom0_that_cannot_be(installed, value, fault):
    """The hypervisor would halt: so Tenon does not become the default, and the reason is said."""
    configure(installed, f'GRUB_CMDLINE_TENON="console=com1 dom0_mem={value}"\n')
    status = 1 if fault else 0
    said = installed.run("tenon-grub check", status)
    assert f"no    options: dom0_mem= {fault}" in said if fault else "no    " not in said
    for command in ("default", "once"):
        assert fault in installed.run(f"tenon-grub {command}", status)
    assert installed.exists("/etc/default/grub.d/zz-tenon-default.cfg") == (not fault)
    assert ('set default="tenon"' in installed.menu()) == (not fault)


def test_root_on_lvm_and_btrfs(installed):
    installed.stand_in(device="/dev/mapper/vg-root", abstraction="lvm")
    installed.update()
    assert lines(installed, "module2")[0].startswith(f"/boot/vmlinuz-{LINUX} root=/dev/mapper/vg-root ro ")
    assert "\tinsmod lvm\n" in section(installed)
    installed.stand_in(fs="btrfs")
    installed.write("/usr/bin/grub-mkrelpath", '#!/bin/sh\necho "/@rootfs${1%/}"\n', 0o755)
    installed.update()
    assert "rootflags=subvol=@rootfs" in lines(installed, "module2")[0]
    assert lines(installed, "multiboot2")[0] == f"/@rootfs{IMAGE}"


def test_removed_but_not_purged(installed):
    installed.run("dpkg --no-triggers -r tenon-hypervisor")
    assert installed.exists("/etc/grub.d/20_linux_tenon") and section(installed).strip() == ""
