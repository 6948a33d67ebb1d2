# SPDX-License-Identifier: GPL-2.0-only
"""The guide as a play: what docs/guide.md shows in its console blocks is typed into a machine, and what the machine says is
compared with what the guide shows.

In a ```console block a line that begins with a prompt (root@debian:~#, root@guest:~#, debian login:) is typed, ^C and ^] being keys;
"> " lines below it are typed too. A line that is only a key is pressed once what stands above it has come. Other lines are output:
a line of "..." stands for any lines, "..." within a line for any text. Numbers with a point, numbers of five digits or more, UUIDs
and hardware addresses may be others than the guide's; blanks count as one. Everything else must be there, in this order.
<!-- machine: bios --> and <!-- machine: uefi --> start the machine, always with the same disk.

usage: play.py [--record] [--only CHAPTER]...     see --help
"""
import argparse
import dataclasses
import functools
import pathlib
import re
import sys
import time

import pc
from pc import machine

GUIDE_MD, GUIDE_KO = machine.ROOT / "docs" / "guide.md", machine.ROOT / "docs" / "guide.ko.md"
PROMPT = re.compile(r"(root@[\w-]+:[^ #]*# |[\w-]+ login: )(.*)")
KEYS = {"^]": "\x1d", "^C": "\x03"}
VARIES = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|\d+(?:\.\d+)+|\d{5,}|\s+")


@dataclasses.dataclass
class Step:
    """Something typed after a prompt, and what the guide shows of the answer. With no prompt it is a key."""
    prompt: str
    typed: list
    line: int
    shown: list = dataclasses.field(default_factory=list)
    section: str = ""
    firmware: str = ""  # the machine is started before this step

    def __str__(self):
        return f"{GUIDE_MD.name}:{self.line}: {self.prompt}{self.typed[0]}"


def steps_of(text):
    """All steps of a guide, in order."""
    steps, inside, section, firmware = [], False, "", ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif not inside:
            section = line.lstrip("# ") if line.startswith("## ") else section
            if start := re.fullmatch(r"<!-- machine: (\w+) -->", line):
                firmware = start.group(1)
        elif match := PROMPT.fullmatch(line):
            steps.append(Step(match.group(1), [match.group(2)], number, [], section, firmware))
            firmware = ""
        elif line in KEYS:
            steps.append(Step("", [line], number, [], section))
        elif line.startswith("> ") and steps and not steps[-1].shown:
            steps[-1].typed.append(line[2:])
        elif steps:
            steps[-1].shown.append(line)
    return steps


def blocks_of(text):
    return re.findall(r"^```console\n(.*?)^```", text, re.M | re.S)


def pattern_of(line):
    """A regular expression for one line of output as the guide shows it."""
    def piece(text):
        out, at = "", 0
        for match in VARIES.finditer(text):
            found = match.group(0)
            varies = (r"\s+" if found.isspace() else "[0-9a-f-]{36}" if len(found) == 36 and "-" in found else
                      "(?:[0-9a-f]{2}:){5}[0-9a-f]{2}" if ":" in found else r"\d+(?:\.\d+)+" if "." in found else r"\d{4,}")
            out, at = out + re.escape(text[at:match.start()]) + varies, match.end()
        return out + re.escape(text[at:])
    return ".*".join(piece(part) for part in line.strip().split("..."))


def differs(shown, said):
    """None if `said` is what the guide shows, else the first shown line that cannot be found where it must be."""
    shown = [line for line in shown if line.strip()]
    said = [line.strip() for line in said if line.strip()]
    patterns = [None if line.strip() == "..." else re.compile(pattern_of(line)) for line in shown]
    furthest = 0

    @functools.cache
    def fits(i, j):
        nonlocal furthest
        furthest = max(furthest, i)
        if i == len(patterns):
            return j == len(said)
        if patterns[i] is None:
            return fits(i + 1, j) or (j < len(said) and fits(i, j + 1))
        return j < len(said) and bool(patterns[i].fullmatch(said[j])) and fits(i + 1, j + 1)

    sys.setrecursionlimit(20000)
    if fits(0, 0):
        return None
    return shown[furthest] if furthest < len(shown) else "(nothing more)"


class Player:
    """Plays steps on one machine after another, all with one disk."""

    def __init__(self, disk, echo=None):
        self.disk, self.echo, self.pc, self.said, self.took, self.lost = disk, echo, None, {}, {}, None

    def start(self, firmware):
        self.close()
        self.pc = pc.PC(self.disk, firmware=firmware, name=f"guide-{firmware}", echo=self.echo).__enter__()

    def close(self):
        if self.pc:
            self.pc.__exit__()
        self.pc = None

    def prompt(self, prompt, previous):
        """Waits for a prompt; what was said until then answers the step before."""
        # Only a console that dom0 has just opened needs Enter before it shows a prompt; a login prompt comes by itself sooner or later.
        opened = previous and "debian" in previous.prompt and "debian" not in prompt
        knock = None if not opened else 120 * machine.PATIENCE if prompt.endswith("login: ") else 3
        timeout = machine.BOOT * (3 if prompt.endswith("login: ") else 2)
        waits = f"'{prompt.strip()}' after '{previous.typed[0]}'" if previous else f"'{prompt.strip()}'"
        pattern = r"(?:^|[\r\n])(?:\x1b[^a-zA-Z]*[a-zA-Z])*" + re.escape(prompt) + "$"
        if not knock:
            return self.pc.until(pattern, timeout, what=waits)
        # A command that should have led to a guest's console and failed leaves us in dom0's shell, which answers Enter as well.
        said = self.pc.until(f"{pattern}|{pc.HOST_PROMPT}[\\r\\n]+{pc.HOST_PROMPT}$", timeout, knock, waits)
        if self.pc.child.after.endswith(pc.HOST_PROMPT):
            raise machine.Failure(f"while waiting for {waits}: back in dom0's shell")
        return said

    def play(self, step, following):
        """Types a step and waits for what comes after it. Returns what is wrong with the answer, or None."""
        begin = time.monotonic()
        if step.firmware or not self.pc:
            self.start(step.firmware or "bios")
            self.prompt(pc.HOST_LOGIN, None)
            if step.prompt != pc.HOST_LOGIN:
                self.pc.send("root\r")
                self.prompt(pc.HOST_PROMPT, None)
        last = len(step.typed) - 1
        for index, typed in enumerate(step.typed):
            self.pc.send(KEYS.get(typed, typed + "\r"))
            if index < last:
                self.pc.until(r"[\r\n]> $", what="the shell's > for more")
        if following is None and step.typed[0] != "poweroff":
            said = self.prompt(step.prompt or pc.HOST_PROMPT, step)
        elif following is None or following.firmware:
            said = self.ended()
        elif not following.prompt:  # a key: what stands above it must come, in lines that may not have an end
            said = self.come(step)
        else:
            said = self.prompt(following.prompt, step)
        self.took[str(step)] = time.monotonic() - begin
        said = pc.clean(said, step.typed[-1] if step.prompt else "", any(pc.NOISE.match(line) for line in step.shown))
        self.said[step.line] = said.split("\n")
        return differs(step.shown, self.said[step.line])

    def come(self, step):
        """Waits for the last line that the guide shows before a key is pressed."""
        last = next(line for line in reversed(step.shown) if line.strip() not in ("", "..."))
        return self.pc.until(pattern_of(last), machine.BOOT * 3, what=f"'{last.strip()}'") + self.pc.child.after

    def ended(self):
        """Waits until the machine is switched off."""
        self.pc.expect_end(machine.BOOT)
        said = self.pc.child.before
        self.close()
        return said


def walk_disk():
    """The disk of one walk: a plain Debian, with our package in root's home."""
    packages = sorted(machine.BUILD.glob("tenon-hypervisor_*_amd64.deb"))
    if not packages:
        raise machine.Failure("the package is missing: make deb")
    disk = pc.copy_disk("walk.img")
    pc.put(disk, packages[-1], f"/root/{packages[-1].name}")
    return disk


def main():
    parser = argparse.ArgumentParser(description="Plays docs/guide.md.")
    parser.add_argument("--record", action="store_true", help="write into the guide what the machine said where it differs")
    parser.add_argument("--only", metavar="CHAPTER", action="append", help="only the chapter of this title, also several; the disk is that of the last walk")
    options = parser.parse_args()
    steps = steps_of(GUIDE_MD.read_text())
    if options.only:
        steps = [step for step in steps if step.section in options.only]
    player = Player(pc.GUIDE / "walk.img" if options.only else walk_disk(), sys.stdout)
    wrong = []
    try:
        for step, following in zip(steps, steps[1:] + [None]):
            if missing := player.play(step, following):
                wrong.append(f"{step}\n    not as shown: {missing}")
    finally:
        player.close()
        slowest = sorted(player.took.items(), key=lambda item: -item[1])[:12]
        print("\n".join(["", *(f"{took:6.0f} s  {step}" for step, took in slowest), *wrong, f"{len(player.said)} of {len(steps)} steps played, {len(wrong)} differ"]))
        if options.record:
            GUIDE_MD.write_text(recorded(GUIDE_MD.read_text(), steps, player.said))
    return 1 if wrong else 0


def recorded(text, steps, said):
    """The guide with what the machine said, in steps where that is something else than shown."""
    lines = text.split("\n")
    for step in reversed(steps):
        if step.line in said and differs(step.shown, said[step.line]):
            start = step.line + len(step.typed) - 1
            lines[start:start + len(step.shown)] = [line.rstrip() for line in said[step.line] if line.strip()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
