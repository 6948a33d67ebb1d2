# SPDX-License-Identifier: GPL-2.0-only
"""Plays docs/guide.md, chapter by chapter, on one disk that starts from BIOS and later from UEFI firmware. About half an hour; needs
`make deb` and tests/guide/disk first, as `make test-guide` does. Consoles: build/logs/guide-bios.log and guide-uefi.log."""
import os

import pytest

import play
from pc import machine

STEPS = play.steps_of(play.GUIDE_MD.read_text())
CHAPTERS = list(dict.fromkeys(step.section for step in STEPS))
pytestmark = pytest.mark.skipif(not os.environ.get("TENON_GUIDE"), reason="half an hour: make test-guide")


@pytest.fixture(scope="module")
def player():
    player = play.Player(play.walk_disk())
    yield player
    player.close()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter(player, chapter):
    """Every command of the chapter prints what the guide shows."""
    if player.lost:
        pytest.fail(f"not played: {player.lost}")
    wrong = []
    for step, following in zip(STEPS, STEPS[1:] + [None]):
        if step.section == chapter:
            try:
                missing = player.play(step, following)
            except machine.Failure as failure:
                player.lost = f"{step}: {failure}"
                pytest.fail(player.lost + (f"\n{player.pc.tail(40)}" if player.pc else ""))
            if missing:
                wrong.append(f"{step}\nnot as shown: {missing}\nThe machine said:\n" + "\n".join(player.said[step.line]))
    assert not wrong, "\n\n".join(wrong)
