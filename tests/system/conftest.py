# SPDX-License-Identifier: GPL-2.0-only
"""Whole systems: the hypervisor with the distribution's own kernel and toolstack, on emulated machines.

TENON_HYPERVISOR=PATH tests another multiboot ELF; the stock one (build/stock/xen, from dom0/setup --stock) passes too, but for what
is marked as a fault of its own. Tests marked slow are left out unless TENON_SLOW=1 or a -m expression asks for them."""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "dom0"))
import machine as machines  # noqa: E402

HYPERVISOR = pathlib.Path(os.environ.get("TENON_HYPERVISOR", machines.TENON)).resolve()
STOCK = HYPERVISOR == machines.STOCK.resolve()


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than half a minute and checks what others check in part")
    config.addinivalue_line("markers", "ends_machine: the last test of its file, after which no machine is there")
    config.addinivalue_line("markers", "stock_fails(reason): a known fault of the stock hypervisor, not ours to share")


def pytest_collection_modifyitems(config, items):
    if not os.environ.get("TENON_SLOW") and not config.option.markexpr:
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    for item in items:
        mark = item.get_closest_marker("stock_fails")
        if mark and STOCK:
            item.add_marker(pytest.mark.xfail(reason=mark.args[0]))


def pytest_sessionstart():
    for file in (HYPERVISOR, machines.KERNEL, machines.IMAGE):
        if not file.exists():
            pytest.exit(f"{file} is missing: run make, dom0/setup and dom0/image first", returncode=2)


class Shared:
    """One machine for all tests of a file; `free`, for them to use, is what xl info called free at the start."""
    machine, lost, free = None, None, None


@pytest.fixture(scope="module")
def shared(request):
    """Boots the machine that the file's MACHINE (a dictionary of Machine's options, or a function that gives one) describes."""
    name = request.module.__name__.removeprefix("test_")
    options = getattr(request.module, "MACHINE", {})
    options = options() if callable(options) else options
    with machines.Machine(HYPERVISOR, name=name, **{"dom0_append": "agent", **options}) as machine:
        Shared.machine, Shared.lost = machine, None
        try:
            Shared.free = machine.boot().free_memory()
        except machines.Failure as failure:
            Shared.lost = failure
        yield Shared


@pytest.fixture
def system(shared, request):
    """The shared machine. Once it is lost, later tests fail at once."""
    if shared.lost:
        pytest.fail(f"the shared machine is lost: {shared.lost}")
    yield shared.machine
    if not shared.machine.running() and not request.node.get_closest_marker("ends_machine"):
        shared.lost = machines.Failure(f"it stopped during {request.node.name}")


@pytest.fixture
def boot(request):
    """A function that makes and starts a machine; it ends with the test. Its console log is named after the test."""
    opened = []

    def start(hypervisor=HYPERVISOR, **options):
        name = options.pop("name", request.node.name.translate(str.maketrans("[]/ ", "--__")).strip("-"))
        made = machines.Machine(hypervisor, name=name, **{"dom0_append": "agent", **options})
        opened.append(made.__enter__())
        request.node.machines = opened
        return made

    yield start
    for made in opened:
        made.__exit__()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its machines' consoles."""
    report = (yield).get_result()
    if report.failed:
        shared = item.funcargs.get("system") if hasattr(item, "funcargs") else None
        for one in getattr(item, "machines", []) + ([shared] if shared else []):
            report.sections.append((f"console, in full in {one.log.relative_to(ROOT)}", one.tail(40)))
