#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs in dom0: random xl commands for a while, on the tiny guests t0, t1, ... and on the real one named guest. Several of these at
# once tread on each other's guests, which is what they are for. Each command, what it said to stderr and its status go to
# /run/storm.SHELL; test_load.py tells refusals from errors there.
# usage: storm SEED SHELL SECONDS TINIES LIMIT (of seconds for one command)
seed=$(($1 * 7919 + $2)) log=/run/storm.$2 said=/run/storm.$2.said end=$(($(date +%s) + $3)) tinies=$4 limit=$5
cd /root
roll() { # NUMBER: rolled is one of 0 .. NUMBER-1
    seed=$(((seed * 1103515245 + 12345) & 0x7fffffff)) rolled=$(((seed >> 12) % $1))
}
run() {
    echo "+ $*"
    timeout -s KILL "$limit" "$@" >/dev/null 2>"$said" </dev/null
    status=$?
    cat "$said"; echo "= $status"
}
asks() { # GUEST WHAT: what xl shutdown and xl reboot write for it
    id=$(xl domid "$1" 2>/dev/null) && run xenstore-write "/local/domain/$id/control/shutdown" "$2"
}
step() {
    roll "$tinies"; t=t$rolled
    roll 4; few=$rolled; disk=xvd$(echo bcde | cut -c$((few + 1)))
    roll 27
    case $rolled in
    0 | 1) run xl pause $t ;;
    2 | 3) run xl unpause $t ;;
    4 | 5) run xl destroy $t ;;
    6 | 7 | 8) run xl create -q tiny.cfg "name=\"$t\"" ;;
    9) run xl create -q -p tiny.cfg "name=\"$t\"" "vcpus=$((few + 1))"; run xl unpause $t ;;
    10) asks $t poweroff ;; # xl shutdown and xl reboot wait a minute for a paused guest's answer
    11) asks $t reboot ;;
    12) run xl mem-set $t $((few + 2)) ;;
    13) run xl rename $t ${t}x; run xl rename ${t}x $t ;;
    14) run xl vcpu-pin $t 0 $((few & 1)) ;;
    15) run xl vcpu-pin $t all all ;;
    16) run xl sched-credit2 -d $t -w $((few * 100 + 100)) ;;
    17) run xl vcpu-set --ignore-host guest $((few + 1)) ;;
    18) run xl mem-set guest $((few * 12 + 150)) ;;
    19) run xl block-attach guest "format=raw,vdev=$disk,access=rw,target=/root/$disk.img" ;;
    20) run xl block-detach guest $disk ;;
    21) run xl network-attach guest bridge=xenbr0 ;;
    22) run xl network-detach guest $((few + 1)) ;;
    23) run xl pause guest; run xl unpause guest ;;
    24) run xl debug-keys "$(echo qrei | cut -c$((few + 1)))" ;;
    25) run xl sysrq $t s; run xl trigger $t nmi ;;
    26) case $few in 0) run xl list -l ;; 1) run xl vcpu-list ;; 2) run xl info ;; 3) run xl uptime ;; esac ;;
    esac
}
for letter in b c d e; do [ -e xvd$letter.img ] || truncate -s 4M xvd$letter.img; done
while [ "$(date +%s)" -lt "$end" ]; do step; done >"$log"
