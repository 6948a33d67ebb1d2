# SPDX-License-Identifier: GPL-2.0-only
"""The life of guests under xl: made, watched, steered and ended in each way its manual names. Two guests with the distribution's
kernel, alpha, which nothing that happens to others may disturb, and beta, which lives through much; and micro guests (guests/puppet)
that end as the letters typed on their consoles say. The tests share one boot and run in the order of the file."""
import base64
import gzip
import json
import re
import struct
import subprocess

import pytest
from machine import BOOT, BUILD, COMMAND, ROOT
from rig import eventually, start_guest, stop_guests

TOOLS = "usr/lib/xen-4.17/bin"
HELD = 0x7E110B5E55ED0000  # as guests/puppet/main.c
PUPPET, TINY = BUILD / "guests" / "puppet", BUILD / "guests" / "tiny"
for guest in (PUPPET, TINY):
    if not guest.exists():
        pytest.exit(f"{guest} is missing: run make guests", returncode=2)
# The distribution leaves the folder for dumps to the administrator.
MACHINE = dict(smp=2, files={
    "root/puppet": PUPPET.read_bytes(), "root/tiny": TINY.read_bytes(),
    "root/puppet.cfg": 'name = "puppet"\ntype = "pv"\nkernel = "/root/puppet"\nmemory = 4\n',
    f"{TOOLS}/xenwatchdogd": open(f"/{TOOLS}/xenwatchdogd", "rb").read(), "var/lib/xen/dump/.keep": ""})
BETA = """guest.cfg 'name="beta"' 'cmdline="console=hvc0 quiet address=3"' 'vif=["bridge=xenbr0,mac=00:16:3e:00:00:03"]' """ \
    """'memory=128' 'on_crash="restart"'"""


class Row:
    """A line of xl list."""

    def __init__(self, line):
        self.name, self.id, self.memory, self.vcpus, self.state, self.time, *self.more = line.split()
        self.time = float(self.time)


def table(system, options=""):
    return {row.name: row for row in (Row(line) for line in system.dom0(f"xl list {options}").splitlines()[1:] if line.strip())}


def domid(system, name):
    """Its number, or None."""
    answer = system.dom0(f"xl domid {name} 2>/dev/null || true").strip()
    return answer or None


def new_domid(system, name, old, seconds=120):
    return eventually(f"{name} is there again", lambda: (now := domid(system, name)) != old and now, seconds)


def said(system, name, pattern):
    """How many lines of its console's log match."""
    return int(system.dom0(f"cat /var/log/xen/console/guest-{name}.log 2>/dev/null | grep -Ec '{pattern}' || true"))


def says(system, name, pattern, times=1, seconds=60):
    eventually(f"{name} says {pattern}", lambda: said(system, name, pattern) >= times, seconds)


def puppet(system, *settings, name="puppet"):
    system.dom0(f"rm -f /var/log/xen/console/guest-{name}.log")
    system.dom0(f"xl create -q puppet.cfg 'name=\"{name}\"' " + " ".join(f"'{setting}'" for setting in settings))
    says(system, name, "^puppet: ready")
    return domid(system, name)


def types(system, name, text):
    """On a guest's console, by the terminal that xenconsoled keeps for it."""
    system.dom0(f"printf '%s\\n' '{text}' >\"$(xenstore-read /local/domain/$(xl domid {name})/console/tty)\"")


def gone(system, name):
    eventually(f"{name} is gone", lambda: name not in table(system))


def uptimes(system):
    """`xl uptime` in seconds."""
    found = re.findall(r"^(\S+) +\d+ +(?:(\d+) days?, *)?(\d+):(\d\d):(\d\d)", system.dom0("xl uptime"), re.M)
    return {name: int(days or 0) * 86400 + int(h) * 3600 + int(m) * 60 + int(s) for name, days, h, m, s in found}


def count(system):
    """How far alpha's own counter is."""
    return int(re.search(r"^\d+", system.guest("cat /root/count", name="alpha"), re.M)[0])


@pytest.fixture
def no_loss(system):
    """What a test takes of the machine's memory it gives back."""
    free = system.free_memory()
    yield
    eventually(f"{free} MiB are free again", lambda: system.free_memory() == free)


def test_dry_run_makes_nothing(system, no_loss):
    planned = system.dom0("xl create -n guest.cfg 'memory=96' 2>/dev/null")
    planned = json.loads(planned[planned.index("{"):])
    assert planned["c_info"]["name"] == "guest" and planned["b_info"]["max_memkb"] == 96 * 1024
    assert list(table(system)) == ["Domain-0"]


def test_created_paused(system):
    start_guest(system, "alpha", options="-p")
    alpha = table(system)["alpha"]
    assert (alpha.state, alpha.time) == ("--p---", 0.0)
    assert system.dom0("cat /var/log/xen/console/guest-alpha.log 2>/dev/null || true").strip() == ""
    system.dom0("xl unpause alpha")
    system.guest_says("^guest: ready", name="alpha")
    system.guest("(i=0; while :; do i=$((i+1)); echo $i >/root/new; mv /root/new /root/count; sleep 1; done) & true", name="alpha")
    eventually("alpha counts", lambda: count(system) > 1)


def test_created_with_console(system):
    system.dom0("rm -f /var/log/xen/console/guest-beta.log")
    system.send(f"xl create -c {BETA}; echo detached $?\n")
    system.expect("guest: userspace up", BOOT)
    system.expect("guest: ready", BOOT)
    system.send("echo typed $((6 * 7))\n")
    system.expect(r"typed 42\s")
    system.send("\x1d")
    system.expect(r"detached 0\s")
    assert "beta" in table(system)


def test_console_loses_nothing(system):
    system.guest("seq 1 2000 | sed s/^/alone-/", name="beta")
    system.send("xl console beta; echo detached $?\n")
    system.expect(r"alone-2000\r", what="what was said before anyone listened")
    before = system.child.before + "alone-2000\r"
    system.send("seq 1 2000 | sed s/^/watched-/\n")
    system.expect(r"watched-2000\r")
    during = system.child.before + "watched-2000\r"
    system.send("\x1d")
    system.expect(r"detached 0\s")
    assert [n for n in range(1, 2001) if f"alone-{n}\r" not in before] == []
    assert [n for n in range(1, 2001) if f"watched-{n}\r" not in during] == []
    for word in ("alone", "watched"):
        system.dom0(f"tr -d '\\r' </var/log/xen/console/guest-beta.log | sed -n 's/^{word}-//p' >/run/said; seq 1 2000 | cmp - /run/said")
    system.send("xl console beta; echo detached $?\n")  # and again
    system.send("echo typed $((6 * 7))\n")
    system.expect(r"typed 42\s")
    system.send("\x1d")
    system.expect(r"detached 0\s")


def test_list_long_gives_the_configuration(system):
    everyone = {one["config"]["c_info"]["name"]: one for one in json.loads(system.dom0("xl list -l"))}
    assert set(everyone) == {"Domain-0", "alpha", "beta"}
    beta, = json.loads(system.dom0("xl list -l beta"))
    assert beta == everyone["beta"]
    config = beta["config"]
    assert str(beta["domid"]) == domid(system, "beta")
    assert config["c_info"]["type"] == "pv" and config["b_info"]["max_memkb"] == 128 * 1024
    assert config["b_info"]["kernel"] == "/boot/vmlinuz" and "address=3" in config["b_info"]["cmdline"]
    assert config["nics"][0]["mac"] == "00:16:3e:00:00:03" and config["disks"][0]["vdev"] == "xvda"
    assert config["on_crash"] == "restart"
    row = table(system, "-v")["beta"]
    assert row.more[0] == config["c_info"]["uuid"]
    assert config["c_info"]["uuid"] in system.dom0("xl vm-list")


def test_names(system):
    number = domid(system, "beta")
    system.dom0("xl rename beta gamma")
    try:
        assert domid(system, "gamma") == number and domid(system, "beta") is None
        assert system.dom0(f"xl domname {number}").strip() == "gamma"
        assert "already exists" in system.dom0("xl rename gamma alpha 2>&1 || true")
        assert set(table(system)) == {"Domain-0", "alpha", "gamma"}
    finally:
        system.dom0(f"xl rename {number} beta")
    assert domid(system, "beta") == number
    assert "does not exist" in system.dom0("xl domname 9999 2>&1 && exit 1 || true")
    assert "invalid domain" in system.dom0("xl list nobody 2>&1 && exit 1 || true")


def test_uptime_grows_for_each(system):
    first = uptimes(system)
    assert first["Domain-0"] > first["alpha"] > first["beta"]
    eventually("uptime grows", lambda: all(now > first[name] for name, now in uptimes(system).items()))


def test_trigger_nmi_reaches_the_kernel(system):
    before = int(re.search(r"NMI: +(\d+)", system.guest("grep NMI: /proc/interrupts", name="beta"))[1])
    system.dom0("xl trigger beta nmi")
    assert "NMI received" in system.guest("until dmesg | grep NMI.received | sed s/^/log:/ | grep log; do sleep 0.1; done", name="beta")
    assert int(re.search(r"NMI: +(\d+)", system.guest("grep NMI: /proc/interrupts", name="beta"))[1]) == before + 1
    for other in ("power", "sleep", "reset", "init"):  # a PV guest has none of these
        assert "Function not implemented" in system.dom0(f"xl trigger beta {other} 2>&1; true")
    assert "Invalid trigger" in system.dom0("xl trigger beta hammer 2>&1; true")


def test_sysrq_reaches_the_kernel(system):
    for letter, answer in (("h", "sysrq: HELP"), ("s", "Emergency Sync complete")):
        system.dom0(f"xl sysrq beta {letter}")
        found = system.guest(f"until dmesg | sed s/^/log:/ | grep \"{answer}\"; do sleep 0.1; done", name="beta")
        assert answer in found


def test_states_of_running_and_paused(system, no_loss):
    puppet(system)
    eventually("it waits", lambda: table(system)["puppet"].state == "-b----")
    types(system, "puppet", "b")
    eventually("it runs", lambda: table(system)["puppet"].state == "r-----")
    seen = table(system)["puppet"].time
    eventually("it uses time", lambda: table(system)["puppet"].time > seen + 0.3)
    system.dom0("xl pause puppet")
    row = table(system)["puppet"]
    assert row.state == "--p---"
    system.dom0("sleep 2")
    assert table(system)["puppet"].time == row.time, "it runs though it is paused"
    system.dom0("xl unpause puppet")
    eventually("it goes on", lambda: (now := table(system)["puppet"]).state == "r-----" and now.time > row.time + 0.3)
    system.dom0("xl destroy puppet")
    assert "puppet" not in table(system)


def test_dying_until_its_last_page_is_let_go(system, no_loss):
    """xenconsoled has the console's page mapped: as long as it does nothing, the domain cannot go."""
    number = puppet(system)
    system.dom0("kill -STOP $(cat /run/xenconsoled.pid)")
    try:
        system.dom0("xl destroy puppet")
        row, = (row for row in table(system).values() if row.id == number)
        assert row.name == "(null)" and row.state[5] == "d", row.state
    finally:
        system.dom0("kill -CONT $(cat /run/xenconsoled.pid)")
    eventually("it is gone", lambda: number not in [row.id for row in table(system).values()])


@pytest.mark.parametrize("reason", ["poweroff", "reboot", "crash", "watchdog"])
def test_restart_and_preserve(system, no_loss, reason):
    """At first it is restarted, then, since its configuration was changed meanwhile, kept for examination."""
    letter, code, state = {"poweroff": "p0-", "reboot": "r1r", "crash": "c3c", "watchdog": "w4w"}[reason]
    first = puppet(system, f'on_{reason}="restart"')
    system.dom0(f"xl config-update puppet puppet.cfg 'on_{reason}=\"preserve\"' 'cmdline=\"word=changed\"' 'memory=6' 2>/dev/null")
    types(system, "puppet", "e" + letter)
    second = new_domid(system, "puppet", first)
    says(system, "puppet", "^puppet: ready", times=2)
    assert said(system, "puppet", "^puppet: has no word") == 1
    types(system, "puppet", "e" + letter)
    says(system, "puppet", "^puppet: changed")
    row = eventually("it has ended", lambda: (row := table(system, "-v")["puppet"]).state[3] == "s" and row)
    assert (row.id, row.memory, row.state[4]) == (second, "6", state)
    assert row.more[1] == code
    system.dom0("xl destroy puppet")
    gone(system, "puppet")


def test_what_happens_by_default(system, no_loss):
    first = puppet(system)
    types(system, "puppet", "r")
    new_domid(system, "puppet", first)
    says(system, "puppet", "^puppet: ready", times=2)
    types(system, "puppet", "c")
    gone(system, "puppet")
    for letter in "wp":
        puppet(system)
        types(system, "puppet", letter)
        gone(system, "puppet")


def test_watchdog_that_is_poked_does_nothing(system, no_loss):
    puppet(system)
    types(system, "puppet", "u")  # six seconds with one of four
    says(system, "puppet", "^puppet: poked 1, then 0")
    types(system, "puppet", "p")
    gone(system, "puppet")


def test_rename_restart(system, no_loss):
    first = puppet(system, 'on_crash="rename-restart"')
    types(system, "puppet", "c")
    second = new_domid(system, "puppet", first)
    old, = (row for row in table(system).values() if row.id == first)
    assert re.fullmatch(r"puppet-\d+T\d+Z", old.name) and old.state[3:5] == "sc"
    system.dom0(f"xl destroy {first}; xl destroy {second}")


class Core:
    """What `xl dump-core` writes: an ELF file with sections instead of segments."""

    def __init__(self, data):
        self.data, (at, each, number, names) = data, struct.unpack_from("<Q10xHHH", data, 40)
        headers = [struct.unpack_from("<IIQQQQ", data, at + i * each) for i in range(number)]
        text = data[headers[names][4]:]
        self.sections = {text[h[0]:text.index(b"\0", h[0])].decode(): data[h[4]:h[4] + h[5]] for h in headers}
        self.pages = {pfn: i for i, (pfn, _) in enumerate(struct.iter_unpack("<QQ", self.sections[".xen_p2m"]))}

    def page(self, pfn):
        return self.sections[".xen_pages"][self.pages[pfn] * 4096:][:4096]


def fetch(system, path):
    """A file of dom0's, checked against its sum."""
    data = gzip.decompress(base64.b64decode(re.sub(r"\s", "", system.dom0(f"gzip -9c {path} | base64"))))
    assert len(data) == int(system.dom0(f"stat -c %s {path}"))
    return data


def gdb(core, converted, *commands):
    """What gdb says of a core: the toolstack's own has no program headers, so it goes through tools/gdb-core first."""
    subprocess.run([ROOT / "tools/gdb-core", core, converted], check=True)
    options = [word for command in commands for word in ("-ex", command)]
    return subprocess.run(["gdb", "-batch", "-nx", BUILD / "guests/puppet", "-c", converted, *options], check=True, capture_output=True,
                          text=True).stdout


def check_core(system, path, tmp_path):
    file = tmp_path / "core"
    file.write_bytes(fetch(system, path))
    elf = subprocess.run(["readelf", "-hSW", file], check=True, capture_output=True, text=True)
    assert "Type:                              CORE" in elf.stdout and not elf.stderr
    assert "ELF 64-bit LSB core file, x86-64" in subprocess.run(["file", file], check=True, capture_output=True, text=True).stdout
    core = Core(file.read_bytes())
    assert sorted(core.pages) == list(range(1024))
    held = int(system.dom0("sed -n 's/^puppet: holds page \\([0-9]*\\).*/\\1/p' /var/log/xen/console/guest-puppet.log"))
    assert struct.unpack("<512Q", core.page(held)) == tuple(HELD + i * 0x10001 for i in range(512))
    flags, *registers = struct.unpack_from("<Q4Q", core.sections[".xen_prstatus"], 512)
    assert registers == [HELD + number for number in (15, 14, 13, 12)]
    assert core.sections[".xen_shared_info"].count(0) < 4096
    assert core.page(256)[:2048] in PUPPET.read_bytes(), "its text, at 1 MiB"
    assert flags & 1 << 2, "VGCF_in_kernel"
    said = gdb(file, tmp_path / "for-gdb", "info registers r15", "print/x held_page[511]", "backtrace")
    assert f"{HELD + 15:#x}" in said and f"= {HELD + 511 * 0x10001:#x}" in said and "runtime_start" in said, said


def test_dump_core_of_a_running_guest(system, no_loss, tmp_path):
    puppet(system)
    system.dom0("xl dump-core puppet /run/core >/dev/null")
    types(system, "puppet", "e")
    says(system, "puppet", "^puppet: has no word")
    assert table(system)["puppet"].state == "-b----"
    check_core(system, "/run/core", tmp_path)
    system.dom0("rm /run/core; xl destroy puppet")


@pytest.mark.parametrize("after", ["restart", "destroy"])
def test_coredump_and(system, no_loss, after):
    number = puppet(system, f'on_crash="coredump-{after}"')
    types(system, "puppet", "c")
    if after == "restart":
        new_domid(system, "puppet", number)
        says(system, "puppet", "^puppet: ready", times=2)
        system.dom0("xl destroy puppet")
    gone(system, "puppet")
    core = Core(fetch(system, "/var/lib/xen/dump/puppet"))
    assert sorted(core.pages) == list(range(1024))
    assert struct.pack("<QQ", HELD, HELD + 0x10001) in core.sections[".xen_pages"]
    system.dom0("rm /var/lib/xen/dump/puppet")


def test_panic_restarts_a_guest_and_disturbs_no_other(system):
    number, alpha = domid(system, "beta"), domid(system, "alpha")
    counted, up = count(system), uptimes(system)
    system.guest("echo >/root/mark", name="beta")
    types(system, "beta", "echo c >/proc/sysrq-trigger")
    new_domid(system, "beta", number)
    says(system, "beta", "^guest: ready", times=2, seconds=180)
    system.guest("test ! -e /root/mark", name="beta")
    now = uptimes(system)
    assert domid(system, "alpha") == alpha and now["alpha"] > up["alpha"] and now["beta"] < now["alpha"] - up["alpha"] + 2
    later = count(system)
    assert later > counted + 2
    eventually("alpha goes on counting", lambda: count(system) > later)
    assert "3 packets received" in system.guest("ping -c 3 -w 60 192.0.2.1", name="alpha", timeout=90)


def test_reboot(system):
    number = domid(system, "beta")
    system.dom0("xl reboot beta")
    new_domid(system, "beta", number)
    says(system, "beta", "^guest: ready", times=3, seconds=180)
    assert said(system, "beta", "Requesting system reboot") == 1, "its own init has done it"


@pytest.mark.slow
def test_dump_core_of_a_whole_kernel(system):
    system.guest("echo remembered $((6 * 7)) times >/root/mark", name="beta")
    system.dom0("xl dump-core beta /run/core >/dev/null", timeout=COMMAND * 2)
    assert int(system.dom0("tr '\\0' '\\n' </run/core | grep -c 'remembered 42 times'; rm /run/core", timeout=COMMAND * 2)) >= 1


def test_restored_guest_shuts_down(system):
    system.dom0("xl save beta /run/beta.save >/dev/null 2>&1; xl restore /run/beta.save >/dev/null 2>&1; rm /run/beta.save", timeout=180)
    system.dom0("xl shutdown -ww beta", timeout=COMMAND)
    assert "beta" not in table(system)
    assert said(system, "beta", "Requesting system poweroff") == 1


def test_shutdown_of_all(system, shared):
    """Orderly: a program in the guest is told first."""
    system.dom0("xl create -q puppet.cfg 'name=\"tiny\"' 'kernel=\"/root/tiny\"'")
    says(system, "tiny", "^tiny: 1 s")
    system.guest("(trap \"echo program is told; exit\" TERM; while :; do sleep 0.1; done) & true", name="alpha")
    system.dom0("xl shutdown -a -w", timeout=COMMAND)
    eventually("all are gone", lambda: list(table(system)) == ["Domain-0"])
    assert said(system, "alpha", "^program is told") == 1
    assert said(system, "alpha", "Requesting system poweroff") == 1
    assert said(system, "tiny", "^tiny: asked for poweroff") == 1
    stop_guests(system, shared.free)


@pytest.mark.ends_machine
def test_watchdog_of_dom0(system):
    """xenwatchdogd looks after dom0; when it does not any more, the machine starts again."""
    system.dom0("xenwatchdogd 4 1; sleep 6; pidof xenwatchdogd")
    system.dom0("xl list")
    system.send("kill -9 $(pidof xenwatchdogd)\n")
    assert system.ended() == "guest-reset"
    assert not system.triple_fault()
