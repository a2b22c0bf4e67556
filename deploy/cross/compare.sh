#!/usr/bin/env bash
# Does the agent say and do on a router's processor what it does on this machine?
#
#   deploy/cross/compare.sh [x86_64|aarch64|armv7|mipsel]...      aarch64 and mipsel without an argument
#
# Runs what build.sh built under qemu, and the release build of this machine beside it:
# - `inspect` and `devices` over every capture file: the same bytes on both channels, the same exit code;
# - the three gates, `preview`, and `replay` with an invite into a real collector, an exercise on loopback:
#   the same batches apart from their random ids, and a receipt for the same days.
# Exits 1 at the first difference and shows where it is.
#
# Capture files are those in ../shared/captures, if there are any, and those of a few synthetic homes.
# It installs nothing. It needs qemu-user-static, python3, and `cargo build --release --workspace --examples --bins`.
# Taken from the environment, where it is set: CARGO_TARGET_DIR; NATIVE, the folder of this machine's builds.
set -euo pipefail
cd "$(dirname "$0")/../.."

target_folder=${CARGO_TARGET_DIR:-target}
native=$(realpath "${NATIVE:-$target_folder/release}")
work=$(mktemp -d)
collector=
trap 'if [[ -n $collector ]]; then kill "$collector"; fi; rm -rf "$work"' EXIT

die() {
  printf 'compare.sh: %s\n' "$1" >&2
  exit "${2:-69}"
}

# The oldest processor of each kind that a router still sold has: neither of them has more than the target
# promises, and a 24Kc has no floating-point unit.
emulator_of() {
  case $1 in
    x86_64) emulator=() folder=x86_64-unknown-linux-musl ;;
    aarch64) emulator=(qemu-aarch64-static -cpu cortex-a53) folder=aarch64-unknown-linux-musl ;;
    armv7) emulator=(qemu-arm-static -cpu cortex-a7) folder=armv7-unknown-linux-musleabihf ;;
    mipsel) emulator=(qemu-mipsel-static -cpu 24Kc) folder=mipsel-unknown-linux-musl ;;
    *) die "'$1' is none of x86_64, aarch64, armv7, mipsel" 2 ;;
  esac
  local built=$target_folder/$folder/small/phonehome-agent
  [[ -x $built ]] || die "$built is missing: deploy/cross/build.sh $1"
  agent=("${emulator[@]}" "$(realpath "$built")")
}

# Runs a command of the agent in this household; keeps both channels and the exit code under a name.
say() {
  local name=$1 code=0
  shift
  "${agent[@]}" --state state "$@" >"$name.out" 2>"$name.err" || code=$?
  echo "$code" >"$name.code"
}

# The tags of the devices that are phones, as the agent itself gives them.
phones() {
  python3 -c '
import json, sys
rows = map(json.loads, sys.stdin)
print(*(row["device"] for row in rows if row["is_phone"]))' <"$1"
}

# Takes out of the batches what is drawn by chance: their ids, and the home's, which is its key's.
without_ids() {
  python3 -c '
import json, sys
batches = json.load(sys.stdin)
for batch in batches:
    for field in "batch_id", "home":
        drawn = batch["batch"].pop(field)
        assert batch["payload"].count(drawn) == 1, "an id stands in its payload"
        batch["payload"] = batch["payload"].replace(drawn, "-" * len(drawn))
json.dump(batches, sys.stdout, indent=1)'
}

# Everything the agent does for a household, in a folder of its own. The local secret is the same for all,
# so that devices have the same tags; the key is each one's own.
live() {
  local capture=$work/homes/home-0.pcap tag
  mkdir -p state
  chmod 700 state
  install -m 600 "$work/local.secret" state/local.secret

  say inspect inspect --all --format jsonl "${captures[@]}"
  say inspect-table inspect "${captures[@]}"
  say devices devices --format jsonl "${captures[@]}"
  say shut replay "$capture" --collector "https://$address"
  say consent consent grant --yes
  say seen devices --format jsonl "$capture"
  for tag in $(phones seen.out); do
    say "allow-$tag" device allow "$tag" --name "phone $tag"
  done
  say send send on
  say preview preview --format json "$capture"
  without_ids <preview.out >preview.batches
  rm preview.out
  say replay replay "$capture" --collector "https://$address" --invite "$(cat "$work/$1.invite")"
  # Payloads hold the home's key and random ids; days, words and counts must be the same.
  sed -Ei 's/[0-9a-f]{64}/(hash)/g; s/received [0-9-]+T[0-9:.]+Z/received (time)/' replay.out
  say status status --format json
  sed -Ei 's/[0-9a-f]{64}/(hash)/g; s/[0-9-]+T[0-9:.]+Z/(time)/g' status.out
  rm -r state
}

(($#)) || set -- aarch64 mipsel
for architecture; do
  emulator_of "$architecture"
done

for needed in phonehome-agent phonehome-collector examples/homes; do
  [[ -x $native/$needed ]] || die "$native/$needed is missing: cargo build --release --workspace --examples --bins"
done
mkdir "$work/homes"
"$native/examples/homes" "$work/homes" 4
captures=("$work"/homes/*.pcap)
if [[ -d ../shared/captures/pcap ]]; then
  captures+=("$(realpath ../shared/captures/pcap)"/*)
fi
head -c 32 /dev/urandom | od -An -tx1 -v | tr -d ' \n' | sed 's/$/\n/' >"$work/local.secret"

address=127.0.0.1:$(python3 -c '
import socket
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    print(free.getsockname()[1])')
cat >"$work/collector.toml" <<TOML
purpose = "exercise"
data_dir = "data"
keys_dir = "keys"
identity = "identity.key"
[intake]
listen = "$address"
public_address = "$address"
[http]
listen = ""
TOML
"$native/phonehome-collector" serve --config "$work/collector.toml" 2>"$work/collector.log" &
collector=$!
for ((attempt = 0; ; attempt++)); do
  (: >"/dev/tcp/${address/://}") 2>/dev/null && break
  ((attempt < 100)) || die "the collector does not start: $(cat "$work/collector.log")"
  sleep 0.1
done
for architecture in native "$@"; do
  "$native/phonehome-collector" agents invite --config "$work/collector.toml" >"$work/$architecture.invite"
done

for architecture in native "$@"; do
  agent=("$native/phonehome-agent")
  [[ $architecture == native ]] || emulator_of "$architecture"
  mkdir "$work/$architecture"
  began=$SECONDS
  (cd "$work/$architecture" && live "$architecture") || die "$(cat "$work/$architecture"/*.err | tail -n 1)"
  printf '%-8s %3d captures, %6d flows, %d batches, %d receipts, %d s\n' "$architecture" "${#captures[@]}" \
    "$(wc -l <"$work/$architecture/inspect.out")" "$(grep -c '"payload"' "$work/$architecture/preview.batches")" \
    "$(grep -c '^receipt' "$work/$architecture/replay.out")" "$((SECONDS - began))"
  if [[ $architecture == native ]]; then
    # Else the comparison would be of nothing.
    grep -q '"name"' "$work/native/inspect.out" || die "nothing was seen: $(cat "$work/native/inspect.err")"
    grep -q '^receipt' "$work/native/replay.out" || die "nothing was sent: $(tail -n 1 "$work/native/replay.err")"
  else
    diff -r "$work/native" "$work/$architecture" >"$work/difference" ||
      die "$architecture differs from native: $(head -c 4000 "$work/difference")" 1
  fi
done
kill -0 "$collector" || die "the collector died: $(cat "$work/collector.log")"
