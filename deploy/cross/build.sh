#!/usr/bin/env bash
# Builds the agent for routers: one static executable per architecture, linked against musl, profile `small`.
#
#   deploy/cross/build.sh [x86_64|aarch64|armv7|mipsel]...      all four without an argument
#
# Prints the size of each, stripped, beside the limit, and exits 1 if one is over it. The executables lie
# in the target folder, under <target>/small/phonehome-agent.
#
# It installs nothing. It needs
# - a Rust toolchain with its own source (`rustup component add rust-src`; on Debian 12 the packages
#   rustc-web, cargo-web and rust-web-src), or, but for mipsel, with the target (`rustup target add`);
# - `cargo install --locked cargo-zigbuild`;
# - zig, as C compiler and linker: on the PATH, or `pip install ziglang`.
#
# Taken from the environment, where it is set: CARGO_TARGET_DIR; PYTHON, which has the module ziglang;
# CARGO_ZIGBUILD_ZIG_PATH and CARGO_ZIGBUILD_PYTHON_PATH, as cargo-zigbuild takes them.
set -euo pipefail
cd "$(dirname "$0")/../.."

# The stripped executable on the smallest router that is supported.
readonly limit_bytes=4194304

die() {
  printf 'build.sh: %s\n' "$1" >&2
  exit "${2:-69}"
}

target_of() {
  case $1 in
    x86_64 | aarch64) echo "$1-unknown-linux-musl" ;;
    armv7) echo armv7-unknown-linux-musleabihf ;;
    # Little endian, MIPS32 release 2, no floating-point unit: what OpenWrt calls mipsel_24kc.
    mipsel) echo mipsel-unknown-linux-musl ;;
    *) die "'$1' is none of x86_64, aarch64, armv7, mipsel" 2 ;;
  esac
}

# The first compiler on the PATH that has what a target asks for: its own source, or the target's library.
# Only its own cargo knows how to drive it.
choose_compiler() {
  local target=$1 rustc sysroot
  for wanted in source library; do
    while read -r rustc; do
      sysroot=$("$rustc" --print sysroot 2>/dev/null) || continue
      case $wanted in
        source) [[ -e $sysroot/lib/rustlib/src/rust/library/std/Cargo.toml ]] || continue ;;
        library) compgen -G "$sysroot/lib/rustlib/$target/lib/libstd-*" >/dev/null || continue ;;
      esac
      [[ -x ${rustc%/*}/cargo ]] || continue
      has=$wanted RUSTC=$rustc CARGO=${rustc%/*}/cargo
      export RUSTC CARGO
      return
    done < <(type -ap rustc)
  done
  die "no rustc on the PATH has its own source or the target $target; see the head of this file"
}

choose_zig() {
  command -v cargo-zigbuild >/dev/null || die 'cargo-zigbuild is missing: cargo install --locked cargo-zigbuild'
  [[ -z ${CARGO_ZIGBUILD_ZIG_PATH-}${CARGO_ZIGBUILD_PYTHON_PATH-} ]] || return 0
  local python
  for python in "${PYTHON-}" python3 python /usr/bin/python3; do
    [[ -n $python ]] || continue
    if CARGO_ZIGBUILD_PYTHON_PATH=$("$python" -c 'import sys, ziglang; print(sys.executable)' 2>/dev/null); then
      export CARGO_ZIGBUILD_PYTHON_PATH
      return
    fi
  done
  unset CARGO_ZIGBUILD_PYTHON_PATH
  command -v zig >/dev/null || die 'zig is missing: pip install ziglang'
}

build() {
  local target=$1 flags=() has
  choose_compiler "$target"
  if [[ $has == source ]]; then
    # Made for this profile the standard library is smaller; MIPS has no other. It comes without its
    # backtraces, which nobody would see: a panic is told in one sentence.
    flags=("-Zbuild-std=std,panic_abort" -Zbuild-std-features=optimize_for_size)
    export RUSTC_BOOTSTRAP=1
  fi
  # A panic aborts, so nothing ever unwinds: the tables for it would be a seventh of the executable.
  export RUSTFLAGS="${RUSTFLAGS-} -C force-unwind-tables=no"
  case $target in
    # zig brings the C library and its beginnings; the toolchain's own are left out, or missing.
    x86_64-* | aarch64-* | armv7-*) RUSTFLAGS+=' -C link-self-contained=no' ;;
    # In a position-independent executable without a loader, a weak symbol that nobody defines is not
    # null on MIPS but the address the program was loaded to, and the standard library would call it.
    mipsel-*) RUSTFLAGS+=' -C relocation-model=static' ;;
  esac
  "$CARGO" zigbuild --locked --profile small -p phonehome-agent --target "$target" "${flags[@]}"
}

measure() {
  local target=$1 file bytes
  file=${CARGO_TARGET_DIR:-target}/$target/small/phonehome-agent
  bytes=$(stat -c %s "$file")
  printf '%-32s %9d bytes of %d\n' "$target" "$bytes" "$limit_bytes"
  ((bytes <= limit_bytes)) || small_enough=no
}

choose_zig
(($#)) || set -- x86_64 aarch64 armv7 mipsel
targets=()
for architecture; do
  target=$(target_of "$architecture")
  targets+=("$target")
done
for target in "${targets[@]}"; do
  (build "$target")
done
small_enough=yes
for target in "${targets[@]}"; do
  measure "$target"
done
[[ $small_enough == yes ]] || die 'an executable is larger than the limit' 1
