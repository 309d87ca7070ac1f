#!/usr/bin/env bash
# Checks the xla:cuda backend on a machine with a GPU: gpu-check.sh PLUGIN_FOLDER [FLAG…]
#
# PLUGIN_FOLDER is as with-plugin.sh takes it. The report is gpu-check.md in the current folder, complete after each part;
# it takes less than ten minutes. gpu-check.sh -h lists the flags. With `-backend go` the same check runs without a
# plugin, and PLUGIN_FOLDER is left out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)

# Packed, the program is half as much to carry.
program=$here/gpucheck
if [ ! -e "$program" ] || [ "$program.gz" -nt "$program" ]; then
  program=$(mktemp)
  trap 'rm -f "$program"' EXIT
  gzip -dc "$here/gpucheck.gz" >"$program"
  chmod +x "$program"
fi

golden=()
for folder in "$here/golden" "$here/../../testdata/golden/models"; do
  [ -d "$folder" ] && { golden=(-golden "$(cd "$folder" && pwd -P)"); break; }
done

case ${1:-} in
  "") echo "gpu-check: name the folder of a PJRT plugin, such as what this prints: python3 -c 'import jax_plugins.xla_cuda13 as p; print(*p.__path__)'" >&2; exit 1 ;;
  -*) "$program" "${golden[@]}" "$@" ;;
  *) folder=$1; shift; "$here/with-plugin.sh" "$folder" "$program" "${golden[@]}" "$@" ;;
esac
