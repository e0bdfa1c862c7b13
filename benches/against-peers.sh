#!/usr/bin/env bash
# A whole `eopwatch summary` of one synthetic Postfix log against what else is installed, on the same file, in turn,
# in one run. Prints a table for docs/performance.md: medians, and ratios to eopwatch.
#
#   benches/against-peers.sh [BYTES] [RUNS]        1 GB and 7 runs by default
set -euo pipefail
cd "$(dirname "$0")/.."
bytes=${1:-1000000000}
runs=${2:-7}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
log=$folder/mail.log
python3 benches/generate.py bulk --bytes "$bytes" >"$log" 2>"$folder/truth.json"
cargo build --release --quiet
program=target/release/eopwatch

names=("eopwatch summary" "eopwatch summary, one thread" "wc -l")
commands=("$program summary --format json '$log'" "$program summary --threads 1 --format json '$log'" "wc -l '$log'")
add() { # NAME PROGRAM COMMAND: only where it is installed
  if command -v "$2" >/dev/null; then
    names+=("$1")
    commands+=("$3")
  fi
}
add 'rg -c protection.outlook.com' rg "rg -c protection.outlook.com '$log'"
add 'rg -c -F --no-mmap protection.outlook.com' rg "rg -c -F --no-mmap protection.outlook.com '$log'"
add 'grep -c -F protection.outlook.com' grep "grep -c -F protection.outlook.com '$log'"
add 'mawk, count by name, domain, status' mawk "mawk '/protection.outlook.com/ && / status=/ { match(\$0, /status=[a-z]*/); s = substr(\$0, RSTART, RLENGTH); match(\$0, /to=<[^>]*>/); d = substr(\$0, RSTART, RLENGTH); sub(/.*@/, \"\", d); n[\$5 d s]++ } END { for (k in n) print k, n[k] }' '$log'"

# Memory first, and the page cache warm for all.
peak=$( { /usr/bin/time -f %M "$program" summary --format json "$log" >"$folder/summary.json"; } 2>&1 | tail -n 1)
python3 - "$folder" <<'PYTHON'
import json, sys
truth = json.load(open(sys.argv[1] + "/truth.json"))
totals = json.load(open(sys.argv[1] + "/summary.json"))["totals"]
wanted = {"attempts": "microsoft", "delivered": "delivered", "deferred": "deferred", "bounced": "bounced",
          "other_attempts": "other", "lines": "lines"}
wrong = {k: (totals[k], truth[t]) for k, t in wanted.items() if totals[k] != truth[t]}
sys.exit(f"the counts are wrong: {wrong}" if wrong else 0)
PYTHON

for ((run = 0; run < runs; run++)); do
  for i in "${!commands[@]}"; do
    begin=$(date +%s%N)
    # Through a pipe: grep stops at the first hit where its output is /dev/null.
    bash -c "${commands[$i]}" | cat >/dev/null
    echo $((($(date +%s%N) - begin) / 1000000)) >>"$folder/time.$i"
  done
done

median() { sort -n "$1" | sed -n "$((runs / 2 + 1))p"; }
base=$(median "$folder/time.0")
echo "$(date +%F), $(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), $(nproc) processors, $(stat -c %s "$log") bytes, median of $runs, page cache warm; eopwatch's counts equal the generator's; peak RSS $((peak / 1024)) MiB"
echo
echo '| command | ms | eopwatch / it |'
echo '| --- | ---: | ---: |'
for i in "${!commands[@]}"; do
  it=$(median "$folder/time.$i")
  echo "| ${names[$i]} | $it | $(awk -v a="$base" -v b="$it" 'BEGIN { printf "%.2f", a / b }') |"
done
