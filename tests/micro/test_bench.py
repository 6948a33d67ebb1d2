# SPDX-License-Identifier: GPL-2.0-only
"""What bench/compare makes of figures; no machine is needed."""
import json
import pathlib
import sys
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import operations  # noqa: E402
import report  # noqa: E402

NOTES = """90 10 bench: pv-version begin
1090 810 bench: pv-version end of 10
2000 1000 bench: pv-version begin
2500 1400 bench: pv-version end of 10
3000 1500 bench: pv-user-fault begin
4000 2000 (XEN) some line
9000 2500 bench: pv-user-fault end of 1
9001 2501 bench: hvm-pit end of 7
"""
FIGURES = [report.Figure("a", "one <thing>", "instructions", {"stock": 200.0, "tenon": 100.0}, "First"),
           report.Figure("b", "another", "KiB", {"stock": 1000.0, "tenon": 1500.0}, "First"),
           report.Figure("c", "a third", "s", {"tenon": 2.0}, "Second")]


def test_the_least_of_the_times_counts_and_each_is_divided():
    assert operations.read_notes(NOTES) == {"pv-version": (50.0, 40.0), "pv-user-fault": (60.0, 10.0)}


def test_names_are_different_and_fit_into_two_registers():
    names = [operation.name for operation in operations.OPERATIONS]
    assert len(set(names)) == len(names) and max(map(len, names)) <= 16
    assert {operation.kind for operation in operations.OPERATIONS} == set(operations.KINDS)


def test_table_has_a_ratio_where_both_are_known():
    text = report.table("Title", [("x", "us"), ("y", "us"), ("nobody", "us")], [("", {"stock": [4.0, None, None], "tenon": [1.0, 7.0, None]})])
    assert [line.split() for line in text.splitlines()] == [["Title"], ["stock", "tenon", "ratio"], ["x", "us", "4.00", "1.00", "0.250"],
                                                            ["y", "us", "-", "7.00"]]


def test_what_is_written_is_read_back():
    text = report.document(FIGURES, commit="c0ffee")
    assert json.loads(text)["commit"] == "c0ffee" and report.recorded(text) == FIGURES


def test_worse_is_beyond_the_limit_or_gone():
    def now(**values):
        return [report.Figure(name, name, "KiB", {"tenon": value}) for name, value in values.items()]
    assert not report.worse(now(a=105.0, b=1.0, c=2.0), FIGURES, 0.05)
    assert report.worse(now(a=105.1, b=1.0, c=4.0), FIGURES, 0.05) == ["First: one <thing>: 105.1 instructions, was 100.0 (+5.1 %)"]
    assert report.worse(now(a=1.0, b=1.0), FIGURES, 0.05) == ["Second: a third: not measured, was 2.00"]
    assert not report.worse(now(a=1.0, b=1.0, c=2.0, new=9.0), FIGURES, 0.05)


def test_chart_is_well_formed_and_has_each_ratio():
    root = xml.etree.ElementTree.fromstring(report.chart(FIGURES, "a & b"))
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "a & b" and {"First", "one <thing>", "0.50", "1.50"} <= set(words) and "a third" not in words


def test_document_table_leaves_out_what_has_no_ratio():
    assert report.markdown(FIGURES).splitlines()[2:] == ["| one <thing> | 200.0 | 100.0 | 0.50 |", "| another | 1,000 | 1,500 | 1.50 |"]
