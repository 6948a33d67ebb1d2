# SPDX-License-Identifier: GPL-2.0-only
"""The player's own rules, and what holds for the guides without a machine."""
import play


def test_the_same_is_the_same():
    assert play.differs(["a  b", "", "c 12"], ["a b", "c 12", ""]) is None


def test_other_words_and_small_numbers_differ():
    assert play.differs(["running"], ["paused"]) == "running"
    assert play.differs(["nproc 2"], ["nproc 1"]) == "nproc 2"
    assert play.differs(["a", "b"], ["b", "a"]) == "a"


def test_what_the_machine_makes_up_may_differ():
    shown = ["took 3.25s of 12345 on 00:16:3e:00:00:01", "0363c57e-a82f-4309-a1d3-6f3dc1788454"]
    assert play.differs(shown, ["took 14.5s of 99999 on 00:16:3e:aa:bb:cc", "11111111-2222-3333-4444-555555555555"]) is None
    assert play.differs(shown[:1], ["took long of 99999 on 00:16:3e:aa:bb:cc"]) == shown[0]


def test_dots_stand_for_any_lines_or_any_text():
    assert play.differs(["a", "...", "z"], ["a", "z"]) is None
    assert play.differs(["a", "...", "z"], ["a", "b", "c", "z"]) is None
    assert play.differs(["time ... ms"], ["time 12 or so ms"]) is None
    assert play.differs(["a", "...", "z"], ["a", "b"]) == "z"


def test_more_or_less_than_shown_differs():
    assert play.differs(["a"], ["a", "b"]) == "(nothing more)"
    assert play.differs(["a", "b"], ["a"]) == "b"
    assert play.differs([], ["error: no"]) == "(nothing more)"


def test_steps():
    text = ("## One\n<!-- machine: bios -->\n```console\ndebian login: root\nroot@debian:~# cat >x <<END\n> a\n> END\nroot@debian:~# cons\n"
            "Connected\n^]\n```\n## Two\n```sh\nroot@debian:~# not this\n```\n```console\nroot@debian:/tmp# ls\nx\n```\n")
    steps = play.steps_of(text)
    assert [(step.prompt, step.typed, step.shown, step.section, step.firmware) for step in steps] == [
        ("debian login: ", ["root"], [], "One", "bios"), ("root@debian:~# ", ["cat >x <<END", "a", "END"], [], "One", ""),
        ("root@debian:~# ", ["cons"], ["Connected"], "One", ""), ("", ["^]"], [], "One", ""), ("root@debian:/tmp# ", ["ls"], ["x"], "Two", "")]
    said = {5: ["other"], 8: ["Connected"], 17: ["y", "", "z"]}
    assert play.steps_of(play.recorded(text, steps, said))[-1].shown == ["y", "z"]


def test_both_guides_show_the_same():
    assert play.blocks_of(play.GUIDE_MD.read_text()) == play.blocks_of(play.GUIDE_KO.read_text())
    assert play.steps_of(play.GUIDE_MD.read_text())


def test_every_prompt_in_a_block_is_understood():
    for block in play.blocks_of(play.GUIDE_MD.read_text()):
        for line in block.split("\n"):
            assert not line.startswith("root@") or play.PROMPT.fullmatch(line), line
