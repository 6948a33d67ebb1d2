# SPDX-License-Identifier: GPL-2.0-only
"""One emulated machine booting one hypervisor: how it is started, watched and spoken to. Used by dom0/run, tests/system and
bench/compare, so that all three boot the same thing.

What a person would read on the serial console is all there is to go by; every wait is a wait for console text, and every wait
ends at once when the hypervisor or dom0's kernel reports its own end. QMP is used for two things: why the machine stopped, and what
is on its screen.
"""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pexpect

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LOGS = BUILD / "logs"
TENON = BUILD / "tenon"
STOCK = BUILD / "stock" / "xen"
OVMF = pathlib.Path("/usr/share/OVMF")
KERNEL = BUILD / "dom0" / "vmlinuz"
IMAGE = BUILD / "dom0" / "dom0.img"

# Deadlines are for a machine that is much slower than ours and busy: they only bound how long a hang costs.
PATIENCE = float(os.environ.get("TENON_PATIENCE", "1"))
BOOT = 300 * PATIENCE
COMMAND = 120 * PATIENCE
SILENCE = 90 * PATIENCE  # while a system boots

DEAD = (r"Tenon crash[^\r\n]*|(?:Panic on CPU|FATAL)[^\r\n]*|\(XEN\) Assertion [^\r\n]*|Kernel panic - not syncing[^\r\n]*"
        r"|kernel BUG at[^\r\n]*|Hardware Dom0 (?:crashed|halted)[^\r\n]*")
NOISE = re.compile(r"^(?:\(XEN\)|\[ *\d+\.\d+\]|\(d\d+\)).*\n", re.M)


class Failure(Exception):
    """The machine did something else than what was waited for: one line says what."""


class Machine:
    """A context manager: with Machine(...) as machine: machine.boot(); machine.dom0("xl list")."""

    def __init__(self, hypervisor=TENON, *, name="machine", cpu="max", smp=2, mem=2048, dom0_mem=1024, dom0_vcpus=None, qemu="10",
                 append="", dom0_append="", modules=None, files=None, emulator=(), accel="tcg,thread=multi", loglevel="loglvl=info",
                 firmware=None, disk=None, keep=False, echo=None, serial=("-chardev", "stdio,id=serial,mux=on,signal=off", "-serial", "chardev:serial", "-mon", "chardev=serial")):
        """modules: multiboot modules instead of dom0's kernel and image, as a list of (file, arguments).
        files: {path: text or bytes} added to dom0's image; a "root/job" among them runs there at boot.

        firmware: "bios" or "uefi": the machine starts from `disk`, a raw disk image with a boot loader on it, instead of getting a
        hypervisor and modules from the emulator, whose options above then have no effect; and it has a VGA screen (screendump()).
        The disk is a virtio one. What the machine writes to it, and to the UEFI variables, is lost at the end; with keep=True the
        disk keeps it, and the variables are kept beside it (DISK.vars). See tests/system/grub_disk.py for how to make one."""
        self.name, self.hypervisor = name, pathlib.Path(hypervisor)
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="tenon-"))
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log, self.cpu_log = LOGS / f"{name}.log", LOGS / f"{name}.cpu.log"
        self.command = emulator_command(qemu) + [
            "-machine", "q35", "-accel", accel, "-cpu", cpu, "-smp", str(smp), "-m", str(mem), "-nodefaults", "-display", "none",
            "-no-reboot", *serial, "-d", "cpu_reset", "-D", str(self.cpu_log)]
        self.needs = [pathlib.Path(disk)] if firmware else [self.hypervisor, KERNEL, IMAGE]
        if firmware:
            self.command += self.from_disk(firmware, pathlib.Path(disk), keep)
        else:
            options = [f"console=com1 {loglevel}"] + [f"dom0_mem={dom0_mem}M,max:{dom0_mem}M"] * bool(dom0_mem)
            options += [f"dom0_max_vcpus={dom0_vcpus}"] * bool(dom0_vcpus) + [append] * bool(append)
            self.command += self.direct(options, modules, dom0_append, files)
        self.command += emulator
        self.child, self.qmp, self.echo, self.commands = None, None, echo, 0
        self.qmp_rest, self.events = b"", []

    def direct(self, options, modules, dom0_append, files):
        """The emulator as boot loader."""
        # QEMU's XSAVE does not raise #NM while CR0.TS is set, so a hypervisor that switches the FPU lazily, as the stock one does by
        # default on AMD, hands a guest another one's registers: about 3 in 1000 processes went wrong, none of 1400 with this.
        options += ["spec-ctrl=eager-fpu"] * (self.hypervisor.resolve() == STOCK.resolve())
        if modules is None:
            image = overlay(files, self.scratch) if files else IMAGE
            modules = [(KERNEL, f"console=hvc0 earlyprintk=xen {dom0_append}".strip()), (image, "")]
        command = ["-kernel", str(self.hypervisor), "-append", " ".join(options)]
        if modules:  # QEMU's list: commas part modules, so one inside arguments is doubled
            command += ["-initrd", ",".join(f"{file} {words}".strip().replace(",", ",,") for file, words in modules)]
        return command

    def from_disk(self, firmware, disk, keep):
        command = ["-vga", "std", "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe,snapshot={'off' if keep else 'on'}"]
        if firmware == "uefi":
            variables = disk.with_name(disk.name + ".vars") if keep else self.scratch / "vars"
            if not variables.exists():
                shutil.copy(OVMF / "OVMF_VARS_4M.fd", variables)
            command += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
                        "-drive", f"if=pflash,format=raw,file={variables}"]
        return command

    # Starting and ending

    def __enter__(self):
        for file in self.needs:
            if not file.exists():
                shutil.rmtree(self.scratch, ignore_errors=True)
                raise Failure(f"{file.relative_to(ROOT) if file.is_relative_to(ROOT) else file} is missing")
        self.started = time.monotonic()
        self.qmp, theirs = socket.socketpair()  # handed over, so that its events can be read even after QEMU has gone
        with theirs:
            theirs.set_inheritable(True)
            control = ["-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
            self.child = Emulator(self.command[0], self.command[1:] + control, inherits=[theirs.fileno()], encoding="utf-8",
                                  codec_errors="replace", timeout=COMMAND, maxread=65536, echo=False, dimensions=(50, 200))
        self.child.delaybeforesend = None
        self.child.logfile_read = Console(self.log, self.echo)
        try:
            self.control("qmp_capabilities")
        except (Failure, OSError) as error:
            self.child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=5)
            self.__exit__()
            raise Failure(f"the emulator did not start: {self.child.before.strip() or error}") from None
        return self

    def __exit__(self, *_):
        self.child.close(force=True)
        self.child.logfile_read.close()
        if self.qmp:
            self.qmp.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def seconds(self):
        return time.monotonic() - self.started

    # Waiting and speaking

    def expect(self, pattern, timeout=COMMAND, what=None, dead=DEAD, silence=None):
        """Waits for console text. Returns the match. Raises Failure when it cannot come any more, or when nothing at all came
        for `silence` seconds."""
        patterns = [pattern, pexpect.EOF, pexpect.TIMEOUT] + ([dead] if dead else [])
        end, index = time.monotonic() + timeout, 2
        while index == 2 and time.monotonic() < end:
            seen = self.child.logfile_read.characters
            index = self.child.expect(patterns, timeout=min(silence or timeout, max(0.1, end - time.monotonic())))
            if index == 2 and silence and seen == self.child.logfile_read.characters and time.monotonic() < end:
                raise Failure(f"the console has been silent for {silence:.0f} s while {what or pattern} was awaited")
        if index == 0:
            return self.child.match
        waited = what or f"'{pattern}'"
        if index == 3:
            reason = self.child.match.group(0)
            self.child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=2)  # the rest of the report belongs in the log
            raise Failure(f"while waiting for {waited}: {reason}")
        if index == 1:
            triple = ", after a triple fault" if self.triple_fault() else ""
            raise Failure(f"the machine stopped while {waited} was awaited{triple}")
        raise Failure(f"{waited} did not come within {timeout:.0f} s")

    def send(self, text):
        """Types text at a pace that a receive ring of 128 bytes (the stock hypervisor's) does not lose."""
        for start in range(0, len(text), 32):
            self.child.send(text[start:start + 32])
            time.sleep(0.01)

    def boot(self):
        """To dom0's shell. Needs "agent" among dom0's arguments."""
        self.expect(r"dom0: agent ready\s", BOOT, "dom0's userspace", silence=SILENCE)
        return self

    def dom0(self, command, timeout=COMMAND, check=True):
        """Runs a shell command in dom0 and returns what it printed, without the console lines of kernels and hypervisor."""
        self.commands += 1
        # Marks end with a sign of their own, as others' lines can come before their line's end.
        self.send(f"echo @{self.commands}':'; {{ {command}\n}}; echo @{self.commands} $?';'\n")
        self.expect(f"@{self.commands}:", timeout, f"'{command}' to start")
        match = self.expect(rf"@{self.commands} (\d+);", timeout, f"the end of '{command}'")
        output = NOISE.sub("", re.sub(r"\r+\n", "\n", self.child.before).removeprefix("\n"))
        if check and match.group(1) != "0":
            last = output.strip().splitlines()[-1:] or ["(no output)"]
            raise Failure(f"'{command}' exits with {match.group(1)}: {last[0]}")
        return output

    def guest(self, command, name="guest", timeout=60):
        """Runs a shell command in a guest (see dom0/in-guest)."""
        return self.dom0(f"in-guest {name} '{command}' {timeout:.0f}", timeout=COMMAND + timeout)

    def guest_says(self, pattern, name="guest", timeout=180):
        return self.dom0(f"in-guest {name} --until '{pattern}' {timeout:.0f}", timeout=COMMAND + timeout)

    def free_memory(self):
        return int(self.info()["free_memory"])

    def info(self):
        """`xl info` as a dictionary."""
        pairs = (line.split(":", 1) for line in self.dom0("xl info").splitlines() if ":" in line)
        return {key.strip(): value.strip() for key, value in pairs}

    # The end

    def control(self, command, **arguments):
        """A QMP command; returns its answer. Events that come meanwhile are kept."""
        self.qmp.settimeout(COMMAND)
        self.qmp.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            while b"\n" in self.qmp_rest:
                line, self.qmp_rest = self.qmp_rest.split(b"\n", 1)
                message = json.loads(line)
                if "error" in message:
                    raise Failure(f"QMP {command}: {message['error'].get('desc')}")
                if "return" in message:
                    return message["return"]
                self.events += [message] if "event" in message else []
            chunk = self.qmp.recv(65536)
            if not chunk:
                raise Failure(f"the emulator ended during QMP {command}")
            self.qmp_rest += chunk

    def screendump(self):
        """What is on the screen: (width, height, rows of RGB bytes)."""
        file = self.scratch / "screen.ppm"
        self.control("screendump", filename=str(file))
        kind, size, depth, pixels = file.read_bytes().split(b"\n", 3)
        width, height = map(int, size.split())
        if kind != b"P6" or depth != b"255" or len(pixels) != width * height * 3:
            raise Failure("the emulator's picture of the screen is not what was expected")
        return width, height, [pixels[row * width * 3:(row + 1) * width * 3] for row in range(height)]

    def text_screen(self):
        """The lines of a VGA's text screen of 80 columns, from where it is shown in the 32 KiB of its memory on."""
        file = self.scratch / "text.bin"
        self.control("pmemsave", val=0xb8000, size=0x8000, filename=str(file))
        cells = file.read_bytes()[::2].decode("cp437")
        return [cells[at:at + 80].rstrip() for at in range(0, len(cells), 80)]

    def ended(self, timeout=COMMAND):
        """Waits until QEMU has gone; returns QMP's reason: guest-shutdown, guest-reset, ..."""
        self.expect_end(timeout)
        self.qmp.settimeout(5)
        data = self.qmp_rest
        try:
            while chunk := self.qmp.recv(65536):
                data += chunk
        except OSError:
            pass
        events = self.events + [json.loads(line) for line in data.splitlines() if line.strip()]
        return next((event["data"]["reason"] for event in events if event.get("event") == "SHUTDOWN"), "unknown")

    def expect_end(self, timeout=COMMAND):
        if self.child.expect([pexpect.EOF, pexpect.TIMEOUT, DEAD], timeout=timeout):
            raise Failure("the machine did not stop" if self.child.match is pexpect.TIMEOUT else self.child.match.group(0))

    def running(self):
        return self.child.isalive()

    def triple_fault(self):
        return self.cpu_log.exists() and "Triple fault" in self.cpu_log.read_text(errors="replace")

    def tail(self, lines=25):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Emulator(pexpect.spawn):
    """A process on a terminal of its own that also keeps the file descriptors `inherits`."""

    def __init__(self, *args, inherits, **options):
        self.inherits = inherits
        super().__init__(*args, **options)

    def _spawnpty(self, args, **options):
        return super()._spawnpty(args, pass_fds=self.inherits, **options)


class Console:
    """Where the console's text goes besides the waiting code: a file, and a person's terminal if wanted."""

    def __init__(self, path, echo):
        self.file, self.echo, self.characters = open(path, "w", errors="replace", newline=""), echo, 0

    def write(self, text):
        if isinstance(text, bytes):  # as pexpect's interact() gives it
            text = text.decode("utf-8", "replace")
        self.characters += len(text)
        self.file.write(text.replace("\r", ""))
        if self.echo:
            self.echo.write(text)

    def flush(self):
        self.file.flush()
        if self.echo:
            self.echo.flush()

    def close(self):
        self.file.close()


def overlay(files, scratch):
    """dom0's image with files added: an initramfs may be several archives in a row, later ones win."""
    tree, image = scratch / "tree", scratch / "dom0.img"
    for path, text in files.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(0o755)
    paths = sorted(tree.rglob("*"))
    for path in reversed(paths):
        os.utime(path, (0, 0))  # the same archive every time: counted runs depend on every byte
    names = "".join(f"{path.relative_to(tree)}\n" for path in paths)
    extra = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "--reproducible", "-R", "0:0"], input=names.encode(), cwd=tree, check=True,
                           stdout=subprocess.PIPE).stdout
    whole = IMAGE.read_bytes()
    image.write_bytes(whole + bytes(-len(whole) % 4) + extra)
    return image


def emulator_command(which="10"):
    """QEMU 10: ours if dom0/setup had to unpack one, else the installed one. "system": the installed one, whatever it is."""
    private = BUILD / "qemu" / "usr"
    if which == "10" and (private / "bin/qemu-system-x86_64").exists():
        share = private / "share"
        return [str(private / "bin/qemu-system-x86_64"), "-L", str(share / "qemu"), "-L", str(share / "seabios")]
    return [shutil.which("qemu-system-x86_64") or "/usr/bin/qemu-system-x86_64"]


def tour(machine):
    """The way through a whole system, in steps: yields (what was done, what dom0 printed). Any step may raise Failure."""
    machine.boot()
    yield "dom0's userspace and tools are up", ""
    yield "xl info", machine.dom0("xl info")
    yield "xl list", machine.dom0("xl list")
    yield "xl create guest.cfg", machine.dom0("xl create -q guest.cfg", timeout=COMMAND + 60)
    yield "the guest's userspace", machine.guest_says("^guest: ready") and machine.dom0(
        "grep -E '^guest: ' /var/log/xen/console/guest-guest.log")
    yield "guest pings dom0 over the bridge", machine.guest("ping -c 3 -w 30 192.0.2.1")
    written, read = disk_check(machine)
    if written != read:
        raise Failure(f"the guest's disk gave back other data: {written} written, {read} read")
    yield "guest writes its disk and reads it back", f"md5 of what was written {written}\nmd5 of what was read    {read}\n"
    yield "xl list", machine.dom0("xl list")


def disk_check(machine, megabytes=4):
    """Writes random data to the guest's disk past its page cache and reads it back: both sums."""
    output = machine.guest(f"dd if=/dev/urandom of=/tmp.bin bs=1M count={megabytes} && dd if=/tmp.bin of=/dev/xvda bs=1M conv=fsync && "
                           f"echo 3 >/proc/sys/vm/drop_caches && md5sum </tmp.bin && "
                           f"dd if=/dev/xvda bs=1M count={megabytes} | md5sum", timeout=180)
    sums = re.findall(r"^([0-9a-f]{32})\b", output, re.M)
    if len(sums) != 2:
        raise Failure(f"the guest's disk check printed no two sums: {output.strip()[-200:]}")
    return sums
