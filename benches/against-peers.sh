#!/usr/bin/env bash
# A whole `eopwatch summary` of synthetic logs against what else is installed, and against itself. Prints the tables of
# docs/performance.md: one log against the peers, the ratios that are aimed at, and each format against a tool that reads
# it, each taken in turn in one run.
#
#   benches/against-peers.sh [BYTES] [RUNS] [LARGEST]
#
# 1 GB and 7 runs by default; needs BYTES * 3.5 of disk, and LARGEST more, up to which the growth is measured where it is
# given. Cold reads need root (the page cache is dropped). What the view needs (first frame, following, idle) is in live.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
bytes=${1:-1000000000}
part=$((bytes / 4))
runs=${2:-7}
largest=${3:-0}
program=${EOPWATCH:-target/release/eopwatch}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
[ -n "${EOPWATCH:-}" ] || cargo build --release --quiet

make() { # NAME BYTES [OPTION]...: a log, and beside it the counts of what was written
  python3 benches/generate.py bulk --bytes "$2" "${@:3}" >"$folder/$1" 2>"$folder/$1.truth"
}
summary() { echo "$program summary --format json $*"; }
has() { command -v "$1" >/dev/null; }

make mail.log "$bytes"
make part.log "$part"
make iso.log "$part" --stamps iso
make share60.log "$part" --share 0.6
make share05.log "$part" --share 0.05
make auth.log "$part" --auth 0.5
make mta2.log "$part" --host mta2
make powermta.csv "$part" --format powermta
make kumomta.json "$part" --format kumomta
dd if="$folder/part.log" of="$folder/appended.log" bs=1k oflag=append conv=notrunc status=none
gzip -k -1 "$folder/part.log" "$folder/mta2.log"
if has zstd; then zstd -q -3 "$folder/part.log"; fi

# The counts first: they must be the generator's.
check() { # LOG
  $(summary "$folder/$1") >"$folder/found.json"
  python3 - "$folder/found.json" "$folder/${1%.gz}.truth" <<'PYTHON'
import json, sys
found, truth = json.load(open(sys.argv[1]))["totals"], json.load(open(sys.argv[2]))
wanted = {"attempts": "microsoft", "delivered": "delivered", "deferred": "deferred", "bounced": "bounced",
          "other_attempts": "other", "lines": "lines"}
wrong = {k: (found[k], truth[t]) for k, t in wanted.items() if found[k] != truth[t]}
sys.exit(f"{sys.argv[2]}: the counts are wrong: {wrong}" if wrong else 0)
PYTHON
}
for log in mail.log iso.log share60.log share05.log auth.log powermta.csv kumomta.json part.log.gz; do check $log; done

microseconds() { # COMMAND. Through a pipe: grep stops at the first hit where its output is /dev/null.
  local begin=${EPOCHREALTIME/[.,]/}
  bash -c "$1" | cat >/dev/null
  echo $((${EPOCHREALTIME/[.,]/} - begin))
}
median() { sort -n "$1" | sed -n "$((runs / 2 + 1))p"; }
take_turns() { # COMMAND...: the medians, in microseconds
  rm -f "$folder"/time.*
  for ((run = 0; run < runs; run++)); do
    for ((i = 1; i <= $#; i++)); do microseconds "${!i}" >>"$folder/time.$i"; done
  done
  for ((i = 1; i <= $#; i++)); do median "$folder/time.$i"; done
}
peak() { # LOG: MiB
  { /usr/bin/time -f %M $(summary "$1") >/dev/null; } 2>&1 | tail -n 1 | awk '{ printf "%.1f", $1 / 1024 }'
}

log=$folder/mail.log
awk_counts="mawk '/protection.outlook.com/ && / status=/ { match(\$0, /status=[a-z]*/); s = substr(\$0, RSTART, RLENGTH); match(\$0, /to=<[^>]*>/); d = substr(\$0, RSTART, RLENGTH); sub(/.*@/, \"\", d); n[\$5 d s]++ } END { for (k in n) print k, n[k] }' $log"
lnav_counts="lnav -n -c ';SELECT count(*) FROM all_logs' $log"
names=("eopwatch summary" "eopwatch summary, one thread" "wc -l")
commands=("$(summary "$log")" "$(summary --threads 1 "$log")" "wc -l $log")
add() { # PROGRAM NAME COMMAND: only where it is installed
  if has "$1"; then names+=("$2") commands+=("$3"); fi
}
add rg 'rg -c protection.outlook.com' "rg -c protection.outlook.com $log"
add rg 'rg -c -F --no-mmap protection.outlook.com' "rg -c -F --no-mmap protection.outlook.com $log"
add grep 'grep -c -F protection.outlook.com' "grep -c -F protection.outlook.com $log"
add mawk 'mawk, count by name, domain, status' "$awk_counts"

mapfile -t times < <(take_turns "${commands[@]}")
echo "$(date +%F), $(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), $(nproc) processors, $(stat -c %s "$log") bytes, median of $runs, page cache warm; eopwatch's counts equal the generator's"
echo
echo '| command | ms | eopwatch / it |'
echo '| --- | ---: | ---: |'
for i in "${!commands[@]}"; do
  awk -v n="${names[$i]}" -v a="${times[0]}" -v b="${times[$i]}" 'BEGIN { printf "| %s | %.0f | %.2f |\n", n, b / 1000, a / b }'
done

if has pflogsumm; then # Minutes a gigabyte: once, on a part.
  part_us=$(microseconds "$(summary "$folder/part.log")")
  slow_us=$(microseconds "pflogsumm $folder/part.log")
  awk -v a="$part_us" -v b="$slow_us" 'BEGIN { printf "| pflogsumm, a quarter of the log, once | %.0f | %.4f |\n", b / 1000, a / b }'
fi

echo
echo '| # | ratio or figure | measured | met | goal |'
echo '| --- | --- | ---: | ---: | ---: |'
row() { # NUMBER WHAT MET GOAL COMMAND OTHER: the ratio of the two
  local pair
  mapfile -t pair < <(take_turns "$5" "$6")
  awk -v a="${pair[0]}" -v b="${pair[1]}" -v n="$1" -v w="$2" -v m="$3" -v g="$4" \
    'BEGIN { printf "| %s | %s | %.3f | %s | %s |\n", n, w, a / b, m, g }'
}
row P1 'summary / `wc -l`' '≤ 1.0' '≤ 0.70' "$(summary "$log")" "wc -l $log"
if has rg; then
  row P2 'summary / `rg -c -F --no-mmap`' '≤ 0.9' '≤ 0.65' "$(summary "$log")" "rg -c -F --no-mmap protection.outlook.com $log"
  row P3 'summary / `rg -c -F`, appended in 1 kB writes' '≤ 1.0' '≤ 0.75' "$(summary "$folder/appended.log")" \
    "rg -c -F protection.outlook.com $folder/appended.log"
fi
if has mawk; then row P5 'summary / mawk with the same counts' '≤ 0.11' '≤ 0.07' "$(summary "$log")" "$awk_counts"; fi
if has lnav; then row P7 'summary / lnav `SELECT count(*)`' '≤ 0.03' '≤ 0.02' "$(summary "$log")" "$lnav_counts"; fi
whole=$(peak "$log")
quarter=$(peak "$folder/part.log")
echo "| P8 | peak RSS, MiB; growth from a quarter of the log to all of it | $whole; $(awk -v a="$whole" -v b="$quarter" 'BEGIN { printf "%.1f", a - b }') | ≤ 48; ≤ 12 | ≤ 20; ≤ 4 |"
row P9 'one thread / two' '≥ 1.7' '≥ 1.85' "$(summary --threads 1 "$log")" "$(summary --threads 2 "$log")"
row P10 '60 % Microsoft share / 5 %' '≤ 2.3' '≤ 1.5' "$(summary "$folder/share60.log")" "$(summary "$folder/share05.log")"
row P11 'BSD stamps / ISO stamps' '≤ 1.15' '≤ 1.05' "$(summary "$folder/part.log")" "$(summary "$folder/iso.log")"
if has pigz; then row P12 'gz summary / `pigz -dc`' '≤ 0.85' '≤ 0.70' "$(summary "$folder/part.log.gz")" "pigz -dc $folder/part.log.gz"; fi
row P14 'two `.gz` / one' '≤ 1.2' '≤ 1.08' "$(summary "$folder/part.log.gz" "$folder/mta2.log.gz")" "$(summary "$folder/part.log.gz")"
if has zstd; then row P15 'zstd summary / `zstd -dc`' '≤ 1.1' '≤ 0.95' "$(summary "$folder/part.log.zst")" "zstd -dc $folder/part.log.zst"; fi
row P16 'senders of half the bounces asked for / of none' '≤ 1.8' '≤ 1.3' "$(summary "$folder/auth.log")" "$(summary "$folder/part.log")"
row P17 'PowerMTA summary / `wc -l`' '≤ 1.2' '≤ 0.7' "$(summary "$folder/powermta.csv")" "wc -l $folder/powermta.csv"
row P18 'KumoMTA summary / `wc -l`' '≤ 1.0' '≤ 0.5' "$(summary "$folder/kumomta.json")" "wc -l $folder/kumomta.json"

# What somebody without eopwatch would type to count results, and less than its summary tells.
json() { echo "jq -r '[$1] | @tsv' $2 | sort | uniq -c"; }
by() { echo "mawk $1 '{ n[$2]++ } END { for (k in n) print n[k], k }' $3"; }
echo
echo '| format | MB | ms | MB/s | / `wc -l` | / a count of results with | |'
echo '| --- | ---: | ---: | ---: | ---: | ---: | --- |'
for format in postfix sendmail opensmtpd exim powermta exchange momentum kumomta halon greenarrow mailerq ses; do
  make "$format.log" $((bytes / 10)) --format "$format"
  check "$format.log"
  own=$folder/$format.log
  case $format in
    postfix) peer=$(by '-F"status="' 'substr($2, 1, 4)' "$own") ;;
    sendmail) peer=$(by '-F"stat="' 'substr($2, 1, 4)' "$own") ;;
    opensmtpd) peer=$(by '-F"result="' 'substr($2, 1, 4)' "$own") ;;
    exim) peer="eximstats $own" ;;
    powermta) peer=$(by -F, '$1 $22' "$own") ;;
    exchange) peer=$(by -F, '$9' "$own") ;;
    momentum) peer=$(by -F@ '$5 $6' "$own") ;;
    kumomta) peer=$(json .type,.site "$own") ;;
    halon) peer=$(json .status,.recipient_domain "$own") ;;
    greenarrow) peer=$(json .status,.mx_hostname "$own") ;;
    mailerq) peer=$(json '.results[-1].result,.results[-1].mta' "$own") ;;
    ses) peer=$(json '.eventType,.mail.destination[0]' "$own") ;;
  esac
  if ! has "${peer%% *}"; then peer=true; fi
  mapfile -t pair < <(take_turns "$(summary "$own")" "wc -l $own" "$peer")
  awk -v f="$format" -v n="$(stat -c %s "$own")" -v a="${pair[0]}" -v b="${pair[1]}" -v c="${pair[2]}" -v p="${peer%% *}" \
    'BEGIN { printf "| %s | %.0f | %.0f | %.0f | %.1f | %s | %s |\n", f, n / 1e6, a / 1000, n / a, a / b, (p == "true" ? "" : sprintf("%.2f", a / c)), (p == "true" ? "" : p) }'
  rm "$own"
done

echo
echo '| ms by way of reading | warm | appended in 1 kB writes | cold |'
echo '| --- | ---: | ---: | ---: |'
cold() { # COMMAND: the median, each time from the disk
  rm -f "$folder"/cold
  for ((run = 0; run < 3; run++)); do
    sync
    echo 3 >/proc/sys/vm/drop_caches
    microseconds "$1" >>"$folder/cold"
  done
  sort -n "$folder/cold" | sed -n 2p
}
for way in always never; do
  mapfile -t pair < <(take_turns "$(summary --mmap $way "$folder/part.log")" "$(summary --mmap $way "$folder/appended.log")")
  from_disk=0
  if [ -w /proc/sys/vm/drop_caches ]; then from_disk=$(cold "$(summary --mmap $way "$folder/part.log")"); fi
  awk -v w="--mmap $way" -v a="${pair[0]}" -v b="${pair[1]}" -v c="$from_disk" \
    'BEGIN { printf "| %s | %.0f | %.0f | %s |\n", w, a / 1000, b / 1000, (c > 0 ? sprintf("%.0f", c / 1000) : "") }'
done

if [ "$largest" -gt 0 ]; then
  echo
  echo '| bytes | ms | ms a GB | peak RSS, MiB |'
  echo '| ---: | ---: | ---: | ---: |'
  rm -f "$folder"/mail.log "$folder"/appended.log "$folder"/*.json "$folder"/*.csv "$folder"/*.gz
  for ((size = 100000000; size <= largest; size *= 10)); do
    make grown.log "$size"
    cat "$folder/grown.log" >/dev/null
    time_us=$(take_turns "$(summary "$folder/grown.log")")
    awk -v n="$size" -v t="$time_us" -v p="$(peak "$folder/grown.log")" \
      'BEGIN { printf "| %.0f | %.0f | %.0f | %s |\n", n, t / 1000, t * 1e6 / n, p }'
  done
fi
