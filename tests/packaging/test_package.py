# SPDX-License-Identifier: GPL-2.0-only
"""The package as a file: the same whenever it is built, what is in it, what lintian says of it."""
import gzip
import hashlib
import re
import shutil
import subprocess

import pytest
from conftest import BUILD, DEB, IMAGE, ROOT, VERSION

CONTENT = f"""
.{IMAGE}
./etc/default/grub.d/tenon.cfg
./etc/grub.d/20_linux_tenon
./usr/sbin/tenon-grub
./usr/share/doc/tenon-hypervisor/README.md.gz
./usr/share/doc/tenon-hypervisor/boot.md.gz
./usr/share/doc/tenon-hypervisor/changelog.gz
./usr/share/doc/tenon-hypervisor/copyright
./usr/share/doc/tenon-hypervisor/debug-keys.md.gz
./usr/share/doc/tenon-hypervisor/hypercalls.md.gz
./usr/share/lintian/overrides/tenon-hypervisor
./usr/share/man/man7/tenon.7.gz
./usr/share/man/man8/tenon-grub.8.gz
./usr/share/tenon/functions
./usr/share/tenon/options
""".split()


def ask(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def member(path):
    return subprocess.run(f"dpkg-deb --fsys-tarfile '{DEB}' | tar -xO '{path}'", shell=True, check=True, stdout=subprocess.PIPE).stdout


def test_two_builds_are_one_file():
    """The second is built from a copy of the tree in a folder of another name and depth, at another time."""
    copy = BUILD / "packaging" / "a copy" / "of the tree"
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.mkdir(parents=True)
    names = ask("git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    subprocess.run(["git", "init", "-q", "."], cwd=copy, check=True)  # else it would be taken for a part of this tree
    ask(str(copy / "packaging/build"), "build/second")
    second, = (copy / "build/second").glob("*.deb")
    sums = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (DEB, second)]
    if sums[0] != sums[1] and shutil.which("diffoscope"):
        subprocess.run(["diffoscope", DEB, second])
    assert sums[0] == sums[1]
    shutil.rmtree(copy.parent)


def test_content():
    lines = ask("dpkg-deb", "-c", str(DEB)).splitlines()
    files = sorted(line.split()[5] for line in lines if not line.startswith("d"))
    assert files == sorted(CONTENT)
    assert all(line.split()[1] == "root/root" for line in lines)
    executable = {line.split()[5] for line in lines if line.startswith("-rwxr-xr-x")}
    assert executable == {"./etc/grub.d/20_linux_tenon", "./usr/sbin/tenon-grub"}
    conffiles = ask("dpkg-deb", "-I", str(DEB), "conffiles").split()
    assert sorted(conffiles) == ["/etc/default/grub.d/tenon.cfg", "/etc/grub.d/20_linux_tenon"]


def test_nothing_says_where_it_was_built():
    image = gzip.decompress(member(f".{IMAGE}"))
    assert f"Tenon {VERSION}".encode() in image or VERSION.encode() in image
    for place in (str(ROOT), str(BUILD), "/home/", "/tmp/"):
        assert place.encode() not in image, place


def test_the_manual_has_every_option():
    manual = gzip.decompress(member("./usr/share/man/man7/tenon.7.gz")).decode()
    names = member("./usr/share/tenon/options").decode().split()
    assert {"dom0_mem", "console", "com1", "loglvl", "noreboot"} <= set(names)
    for name in names:
        assert f"\\fB{name}" in manual, name
    # Every option that some file of the hypervisor declares is in docs/boot.md, where the list comes from.
    declared = set()
    for file in (ROOT / "hypervisor").rglob("*.c"):
        declared |= set(re.findall(r'^CMDLINE_[A-Z]+\("([a-z0-9_]+)"', file.read_text(), re.M))
    assert len(declared) > 15 and declared <= set(names), declared - set(names)


def test_lintian_has_nothing_to_say():
    changes, = (BUILD / "deb").glob("*.changes")
    result = subprocess.run(["lintian", "--allow-root", "--pedantic", "--display-info", "--fail-on", "error,warning,info,pedantic", str(changes)],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0 and not result.stdout.strip(), result.stdout


@pytest.mark.parametrize("page", ["man7/tenon.7", "man8/tenon-grub.8"])
def test_manual_pages_have_no_faults(page):
    text = gzip.decompress(member(f"./usr/share/man/{page}.gz"))
    result = subprocess.run(["man", "--warnings=w", "-l", "-"], input=text, capture_output=True, env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"})
    assert result.returncode == 0 and result.stderr == b"", result.stderr.decode()
