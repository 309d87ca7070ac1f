#!/usr/bin/env bash
# Builds libtokenizers.a, the Rust library behind build tag daulet, from the crate inside its Go module, into a folder.
# Versions of all crates are those of Cargo.lock beside this script; tiktoken-rs comes from the registry instead of git.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
source=$(cd "$here/../.." && go list -m -f '{{.Dir}}' github.com/daulet/tokenizers)
mkdir -p "$out/crate"
cp -rT "$source/crates/tokenizers" "$out/crate"
chmod -R u+w "$out/crate"
rm -rf "$out/crate/benches"
sed -i -e 's/^tiktoken-rs = .*/tiktoken-rs = "=0.7.0"/' -e '/^\[dev-dependencies\]/,$d' "$out/crate/Cargo.toml"
cp "$here/Cargo.lock" "$out/crate/" 2>/dev/null || true
cargo build --release --manifest-path "$out/crate/Cargo.toml" --target-dir "$out/target" ${LOCKED---locked}
cp "$out/target/release/libtokenizers_ffi.a" "$out/libtokenizers.a"
