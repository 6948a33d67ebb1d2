# SPDX-License-Identifier: GPL-2.0-only
"""Installing, removing, purging; tenon-grub; what keeps either from working."""
import pytest
from conftest import CONFIG, IMAGE, LINUX, PROCESSOR, VERSION

DEFAULT_FILE = "/etc/default/grub.d/zz-tenon-default.cfg"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
PURGE = "dpkg --no-triggers -P tenon-hypervisor"


def default(tree):
    """What the menu says its default is."""
    lines = [line.strip() for line in tree.menu().splitlines() if line.strip().startswith('set default="')]
    return lines[-1].removeprefix('set default="').removesuffix('"')


def test_what_was_there_is_there_again(tree):
    tree.run("touch /tmp/mark; sleep 1")
    before = tree.snapshot()
    said = tree.install()
    assert "found hypervisor" in said and "cannot run Tenon" not in said
    assert tree.snapshot() != before
    assert default(tree) == "0"  # nobody asked for more
    tree.run("tenon-grub default && tenon-grub once")
    tree.run("dpkg --no-triggers -r tenon-hypervisor")
    assert not tree.exists(DEFAULT_FILE) and not tree.exists(IMAGE) and default(tree) == "0"
    assert "menuentry_id_option 'tenon" not in tree.menu()
    assert "next_entry" not in tree.run("grub-editenv - list")
    tree.run(PURGE)
    assert tree.snapshot() == before


def test_installed_again_and_again(tree):
    tree.install()
    first = tree.menu()
    tree.run("tenon-grub default")
    tree.install()  # an upgrade to the same version keeps what the administrator chose
    assert default(tree) == "tenon"
    tree.run("tenon-grub fallback")
    tree.install()
    assert default(tree) == "0" and tree.menu() == first


def test_upgrade_and_downgrade(tree):
    """From a package with another version to this one and back: one image in /boot, the menu and the choice follow."""
    tree.copy_package()
    tree.run("dpkg-deb -R /tmp/tenon.deb /tmp/old; cd /tmp/old; sed -i 's/^Version: .*/Version: 0.0.1/' DEBIAN/control;"
             f"mv .{IMAGE} boot/tenon-0.0.1.gz; sed -i 's#{IMAGE[1:]}#boot/tenon-0.0.1.gz#' DEBIAN/md5sums; dpkg-deb -b . /tmp/old.deb")
    old = "dpkg --no-triggers --force-unsafe-io --force-downgrade -i /tmp/old.deb"
    tree.run(f"{old}; tenon-grub default")
    for install, there, gone in ((tree.install, VERSION, "0.0.1"), (lambda: tree.run(old), "0.0.1", VERSION)):
        install()
        assert tree.exists(f"/boot/tenon-{there}.gz") and not tree.exists(f"/boot/tenon-{gone}.gz")
        assert f"'tenon-{there}-{LINUX}'" in tree.menu() and f"tenon-{gone}" not in tree.menu() and default(tree) == "tenon"
    assert not tree.exists("/run/reboot-required")
    tree.run("mkdir -p /sys/hypervisor/version; echo -tenon >/sys/hypervisor/version/extra")
    assert "the new version runs from the next boot on" in tree.install()
    assert tree.read("/run/reboot-required.pkgs") == "tenon-hypervisor\n"
    assert "this system runs on Tenon until it is restarted" in tree.run(PURGE)


def test_the_default_can_be_asked_for_before(tree):
    tree.run("echo tenon-hypervisor tenon-hypervisor/default boolean true | debconf-set-selections")
    tree.install()
    assert default(tree) == "tenon"


def test_a_change_of_the_configuration_is_kept(tree):
    tree.install()
    tree.run("echo 'GRUB_CMDLINE_TENON=dom0_mem=1G' >>/etc/default/grub.d/tenon.cfg")
    tree.install()
    assert "dom0_mem=1G" in tree.read("/etc/default/grub.d/tenon.cfg")
    tree.update()
    assert f"if multiboot2 {IMAGE} dom0_mem=1G; then" in tree.menu()


def test_without_grub(tree):
    """On a system that has no GRUB (yet) it installs and goes away."""
    tree.run("rm -r /boot/grub")
    assert "its menu gets Tenon with the next update-grub" in tree.install()
    assert tree.exists(IMAGE) and not tree.exists("/boot/grub")
    assert "/boot/grub" in tree.run("tenon-grub default", status=1)
    tree.run(PURGE)


def test_boot_is_full(tree):
    """The message says how much is missing, and nothing is left behind."""
    tree.run("cp -a /boot /tmp/boot; mount -t tmpfs -o size=700k boot /boot; cp -a /tmp/boot/. /boot; touch /tmp/mark; sleep 1")
    tree.run("head -c 300000 /dev/urandom >/boot/filler")
    before = tree.snapshot()
    said = tree.install(status=1)
    assert "tenon-hypervisor is not installed: /boot has" in said and "KiB free" in said
    assert tree.snapshot() == before
    assert "not-installed" in tree.run("dpkg-query -W -f '${db:Status-Status}' tenon-hypervisor || echo not-installed", status=None)
    tree.run("rm /boot/filler; umount /boot")
    tree.install()


def test_boot_becomes_full_while_unpacking(tree):
    """What no check before can see: dpkg itself runs out of space. It takes back what it has written."""
    tree.run("cp -a /boot /tmp/boot; mount -t tmpfs -o size=700k boot /boot; cp -a /tmp/boot/. /boot; touch /tmp/mark; sleep 1")
    tree.run("head -c 450000 /dev/urandom >/boot/filler")
    before = tree.snapshot()
    # A df that is wrong stands for whoever fills /boot in the meantime.
    tree.write("/usr/local/bin/df", "#!/bin/sh\nprintf 'x\\n/dev/x 9 9 99999 9%% /boot\\n'\n", 0o755)
    tree.copy_package()
    said = tree.run("PATH=/usr/local/bin:$PATH dpkg --force-unsafe-io --no-triggers -i /tmp/tenon.deb", status=1)
    assert "No space left on device" in said
    tree.run("rm /usr/local/bin/df")
    assert tree.snapshot() == before


def test_boot_is_read_only(tree):
    tree.run("mount --bind /boot /boot; mount -o remount,ro,bind /boot")
    assert "/boot cannot be written to (is it mounted read-only?)" in tree.install(status=1)


def test_broken_configuration_of_grub(tree):
    """update-grub cannot run at all: the old menu stays, the package is installed and says so; the default cannot be changed."""
    tree.write("/etc/default/grub.d/broken.cfg", "GRUB_CMDLINE_LINUX='no end\n")
    before = tree.menu()
    assert "update-grub failed; GRUB's menu is as it was" in tree.install()
    assert tree.menu() == before
    said = tree.run("tenon-grub default", status=1)
    assert "the default stays as it was" in said and not tree.exists(DEFAULT_FILE)
    tree.run("rm /etc/default/grub.d/broken.cfg; tenon-grub default")
    assert default(tree) == "tenon"


def test_another_file_has_the_last_word(tree):
    tree.install()
    tree.write("/etc/default/grub.d/zzz.cfg", "GRUB_DEFAULT=2\n")
    assert "another file sets GRUB_DEFAULT after" in tree.run("tenon-grub default", status=1)
    assert default(tree) == "2" and not tree.exists(DEFAULT_FILE)


def test_grub_without_multiboot2(tree):
    tree.run("rm -f /boot/grub/*/multiboot2.mod /usr/lib/grub/*/multiboot2.mod")
    assert "Tenon: no entry: this GRUB has no multiboot2 module (i386-pc)" in tree.install()
    assert "with Tenon" not in tree.menu()
    assert "no    GRUB: it has no module multiboot2" in tree.run("tenon-grub check", status=1)
    assert "the default stays as it was" in tree.run("tenon-grub default", status=1)
    assert default(tree) == "0"
    # The other firmware's modules do not help, unless it cannot be told which one it is: dom0 may not be told of UEFI.
    tree.write("/boot/grub/x86_64-efi/multiboot2.mod", "")
    tree.update()
    assert "with Tenon" not in tree.menu()
    tree.run("mkdir /sys/hypervisor; echo xen >/sys/hypervisor/type")
    tree.update()
    assert "with Tenon" in tree.menu()
    tree.run("rm -r /sys/hypervisor /boot/grub/i386-pc")
    tree.update()
    assert "with Tenon" in tree.menu()


def test_no_kernel_can_be_dom0(tree):
    tree.kernel(LINUX, CONFIG.replace("CONFIG_XEN_DOM0=y", "# CONFIG_XEN_DOM0 is not set"))
    said = tree.install()
    assert f"/boot/vmlinuz-{LINUX} cannot be dom0, no entry: /boot/config-{LINUX} does not have CONFIG_XEN_DOM0=y" in said
    assert "with Tenon" not in tree.menu()
    assert "no    kernel: none in /boot can be dom0" in tree.run("tenon-grub check", status=1)
    assert "could not boot it: kernel: none" in tree.run("tenon-grub default", status=1)


@pytest.mark.parametrize("state", ["on", "off"])
def test_secure_boot(tree, state):
    tree.write(SECURE_BOOT, "\6\0\0\0" + {"on": "\1", "off": "\0"}[state])
    tree.install()
    said = tree.run("tenon-grub check", status=1 if state == "on" else 0)
    if state == "on":
        assert "no    Secure Boot: on, so GRUB loads no unsigned hypervisor: turn it off" in said
        for command in ("default", "once"):
            assert "Secure Boot is on" in tree.run(f"tenon-grub {command}", status=1)
        assert default(tree) == "0" and not tree.exists(DEFAULT_FILE)
    else:
        assert "ok    Secure Boot: off" in said and "/boot/grub/x86_64-efi/multiboot2.mod" in said
        tree.run("tenon-grub default")


@pytest.mark.parametrize("flag", ["lm", "nx"])
def test_processor_that_lacks_something(tree, flag):
    tree.run(f"umount /proc/cpuinfo; printf '{PROCESSOR.replace(f' {flag} ', ' ')}' >/tmp/cpuinfo; mount --bind /tmp/cpuinfo /proc/cpuinfo")
    assert f"/proc/cpuinfo does not show {flag}" in tree.install()
    assert f"no    processor: /proc/cpuinfo does not show {flag}" in tree.run("tenon-grub check", status=1)
    assert "could not boot it: processor" in tree.run("tenon-grub default", status=1)


def test_small_machine_without_tools(tree):
    tree.install()
    tree.run("echo 'MemTotal: 262144 kB' >/tmp/meminfo; mount --bind /tmp/meminfo /proc/meminfo; mv /usr/lib/xen-4.17 /usr/lib/xen-none")
    said = tree.run("tenon-grub check", status=1)
    assert "no    memory: 256 MiB" in said and "no    tools: xen-utils-4.17 is not installed" in said
    assert "2 of these keep Tenon from working here." in said


def test_damaged_image(tree):
    tree.install()
    tree.run(f"head -c 1000 {IMAGE} >/tmp/x; cp /tmp/x {IMAGE}")
    assert f"{IMAGE} is damaged" in tree.update()
    assert "with Tenon" not in tree.menu()
    assert f"no    hypervisor: {IMAGE} is damaged" in tree.run("tenon-grub check", status=1)


def test_commands_can_be_repeated(tree):
    tree.install()
    for command, value in (("default", "tenon"), ("fallback", "0")):
        tree.run(f"tenon-grub {command}")
        once = tree.menu()
        tree.run(f"tenon-grub {command}")
        assert tree.menu() == once and default(tree) == value
    tree.run("tenon-grub once && tenon-grub once")
    assert "next_entry=tenon\n" in tree.run("grub-editenv - list") and default(tree) == "0"
    assert "next boot only: tenon" in tree.run("tenon-grub status")
    tree.run("tenon-grub fallback")
    assert "next_entry" not in tree.run("grub-editenv - list")


def test_fallback_forgets_only_its_own(tree):
    tree.install()
    tree.run("grub-editenv - set saved_entry=gnulinux-simple next_entry=tenon-advanced; tenon-grub fallback")
    assert tree.run("grub-editenv - list").split() == ["saved_entry=gnulinux-simple"]


def test_once_needs_a_place_to_note_it(tree):
    tree.install()
    tree.stand_in(abstraction="lvm")
    assert "on lvm, where GRUB cannot clear its note" in tree.run("tenon-grub once", status=1)
    assert "next_entry" not in tree.run("grub-editenv - list")
    tree.run("rm /boot/grub/grubenv")
    assert "there is no /boot/grub/grubenv" in tree.run("tenon-grub once", status=1)


def test_status(tree):
    tree.install()
    said = tree.run("tenon-grub status")
    assert f"installed: {IMAGE}\nmenu entry: yes\ndefault entry: the first, plain Linux\nrunning on: the bare machine\n" == said
    tree.run("mkdir -p /sys/hypervisor/version; echo xen >/sys/hypervisor/type; echo -tenon >/sys/hypervisor/version/extra; tenon-grub default")
    said = tree.run("tenon-grub status")
    assert "default entry: Tenon\nrunning on: Tenon\n" in said
    assert "note  running: this is dom0 on Tenon" in tree.run("tenon-grub check")


def test_wrong_usage(tree):
    tree.install()
    for words in ("", "defualt", "default now", "--frobnicate"):
        assert "usage: tenon-grub COMMAND" in tree.run(f"tenon-grub {words}", status=2)
    assert "usage: tenon-grub COMMAND" in tree.run("tenon-grub --help")
    said = tree.run("chmod 755 /root; setpriv --reuid 65534 --clear-groups tenon-grub default", status=1)
    assert "run it as root" in said
    tree.run(f"dpkg-query -W -f '${{Version}}' tenon-hypervisor | grep -qx {VERSION}")
