#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the given cmocka programs, shows the output of those that fail, and ends
# with one line of counts. Exit status 1 if anything failed.
passed=0 failed=0 skipped=0 programs=0
for program in "$@"; do
    programs=$((programs + 1))
    log=$program.log
    CMOCKA_MESSAGE_OUTPUT=TAP "$program" >"$log" 2>&1
    status=$?
    # cmocka says "not ok N # SKIP" of a test that skipped itself.
    skip=$(grep -ciE '^(not )?ok.*# *skip' "$log")
    bad=$(grep -E '^not ok' "$log" | grep -ciEv '# *skip')
    good=$(grep -E '^ok' "$log" | grep -ciEv '# *skip')
    # A sanitizer report or an abort ends the program without a "not ok" line.
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    # A program that says nothing tests nothing.
    if [ $((good + bad + skip)) -eq 0 ]; then
        bad=1
    fi
    if [ "$bad" -ne 0 ]; then
        echo "FAILED: $program (exit status $status)"
        sed 's/^/    /' "$log"
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
done
echo "unit: $passed passed, $failed failed, $skipped skipped in $programs programs"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
