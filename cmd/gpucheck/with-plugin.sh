#!/usr/bin/env bash
# Runs a command with XLA from a PJRT plugin that lies in a folder, wherever that is: with-plugin.sh FOLDER COMMAND [ARGUMENT…]
#
# FOLDER holds xla_cuda_plugin.so, as the Python package jax_plugins/xla_cuda13 (or 12) does, libpjrt_cpu.so or
# xla_cpu_pjrt.so, as those for the processor do, or a plugin under one of go-xla's own names, pjrt_c_api_NAME_plugin.so; or
# it is the virtual environment or site-packages above, and the plugin is looked for below it.
# NVIDIA's libraries (the Python packages nvidia/*) are looked for beside it. Nothing is installed or downloaded.
set -euo pipefail

fail() { echo "with-plugin: $*" >&2; exit 1; }

[ $# -ge 2 ] || fail "give a folder that holds a PJRT plugin, and a command to run with it"
folder=$1; shift
[ -d "$folder" ] || fail "$folder is no folder: name one that holds a PJRT plugin, such as jax_plugins/xla_cuda13 in Python's site-packages"
folder=$(cd "$folder" && pwd -P)

plugin=$(find -L "$folder" -maxdepth 7 \( -name 'xla_cuda_plugin.so' -o -name 'libpjrt_*.so' -o -name 'xla_*_pjrt.so' -o -name 'pjrt_c_api_*_plugin.so' -o -name 'pjrt[-_]plugin[-_]*.so' \) 2>/dev/null | sort | head -n 1 || true)
[ -n "$plugin" ] || fail "no PJRT plugin lies in $folder: it should hold xla_cuda_plugin.so, as jax_plugins/xla_cuda13 in Python's site-packages does, or pjrt_c_api_cuda_plugin.so, libpjrt_cpu.so, xla_cpu_pjrt.so"
home=$(dirname "$plugin")

# Links in a folder of our own give the plugin the name that go-xla looks for, and NVIDIA's libraries the places where the
# plugin looks (../../nvidia) and where go-xla does (../nvidia).
links=$(mktemp -d)
trap 'rm -rf "$links"' EXIT
mkdir -p "$links/plugins/xla"
for file in "$home"/*; do ln -s "$file" "$links/plugins/xla/"; done
case $(basename "$plugin") in
  xla_cuda_plugin.so | xla_cuda_pjrt.so | libpjrt_cuda.so) ln -s "$plugin" "$links/plugins/xla/pjrt_c_api_cuda_plugin.so" ;;
  xla_cpu_pjrt.so | libpjrt_cpu.so) ln -s "$plugin" "$links/plugins/xla/pjrt_c_api_cpu_plugin.so" ;;
esac
libraries=$home
nvidia=
for candidate in "$home/nvidia" "$home/../nvidia" "$home/../../nvidia"; do
  [ -d "$candidate" ] && { nvidia=$(cd "$candidate" && pwd -P); break; }
done
if [ -n "$nvidia" ]; then
  ln -s "$nvidia" "$links/nvidia"
  ln -s "$nvidia" "$links/plugins/nvidia"
  for lib in "$nvidia"/*/lib "$nvidia"/*/lib64; do [ -d "$lib" ] && libraries=$libraries:$lib; done
fi
for lib in "${CUDA_HOME:-/usr/local/cuda}/lib64"; do [ -d "$lib" ] && libraries=$libraries:$lib; done

# XLA compiles kernels with NVIDIA's device library, and with ptxas where it needs it.
case ${XLA_FLAGS:-} in
  *xla_gpu_cuda_data_dir*) ;;
  *)
    for toolkit in ${nvidia:+"$nvidia"/cu13 "$nvidia"/cu12 "$nvidia"/cuda_nvcc} "${CUDA_HOME:-/usr/local/cuda}"; do
      [ -d "$toolkit/nvvm/libdevice" ] || continue
      export XLA_FLAGS="${XLA_FLAGS:+$XLA_FLAGS }--xla_gpu_cuda_data_dir=$toolkit"
      break
    done ;;
esac

export PJRT_PLUGIN_LIBRARY_PATH=$links/plugins/xla
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export GOMLX_NO_AUTO_INSTALL=1
"$@"
