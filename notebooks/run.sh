#!/usr/bin/env bash
# Sets up the GoNB kernel in this repository and runs its notebooks.
#
#   notebooks/run.sh setup                 install the kernel (.bin, .jupyter) and, on Debian as root, nbconvert
#   notebooks/run.sh execute NOTEBOOK...   execute into build/notebooks: NAME.ipynb and a self-contained NAME.html
#   notebooks/run.sh commit NOTEBOOK...    execute in place, pictures as PNG, which repository pages show
#   notebooks/run.sh open                  open the notebooks in Jupyter on 127.0.0.1
#
# Nothing is installed outside the repository but Debian's own packages.
set -euo pipefail

cd "$(dirname "$0")/.."
repo=$PWD
bin=$repo/.bin
jupyter=/usr/bin/jupyter # another python may come first on PATH
export GOEXPERIMENT=simd JUPYTER_PATH=$repo/.jupyter PATH=$bin:$PATH

die() { echo "notebooks: $*" >&2; exit 1; }

# debian PACKAGE...: installs what the notebooks need, where that is possible.
debian() {
  local package missing=()
  for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] ||
    die "${missing[*]} is needed; install it (Debian: sudo apt-get install --no-install-recommends ${missing[*]}) and try again"
  echo "notebooks: installing ${missing[*]}"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null ||
    die "installing ${missing[*]} failed; install it by hand and try again"
}

# cgo is 1 where XLA may run, which is linked with C: where it is asked for, or a GPU and a plugin are there. Cells without
# it link in half the time.
cgo() {
  case ${N2G_BACKEND-} in
    xla:*) ;;
    "" | auto) compgen -G "/dev/nvidia[0-9]*" >/dev/null || [ -e /dev/dxg ] || { echo 0; return; } ;;
    *) echo 0; return ;;
  esac
  local folder IFS=:
  for folder in ${PJRT_PLUGIN_LIBRARY_PATH-} "$HOME/.local/lib/go-xla" "$HOME/.local/lib/go-xla/nvidia" /usr/local/lib/go-xla; do
    { [ -f "$folder" ] || compgen -G "$folder/*pjrt*" >/dev/null || compgen -G "$folder/xla_*" >/dev/null; } && command -v "${CC:-gcc}" >/dev/null && echo 1 && return
  done
  echo 0
}

setup() {
  export CGO_ENABLED
  CGO_ENABLED=$(cgo)
  [ -x "$jupyter" ] && "$jupyter" nbconvert --version >/dev/null 2>&1 || debian jupyter-nbconvert
  echo "notebooks: building the GoNB kernel and the library (a minute or two the first time)"
  (cd tools && GOBIN=$bin go install github.com/janpfeifer/gonb golang.org/x/tools/cmd/goimports)
  go mod download # GoNB looks all modules of go.mod up, those for other build tags too
  go build ./notebooks/lab ./n2g/store/... ./n2g/run # so that the first cell need not wait for it
  mkdir -p .jupyter/kernels/gonb
  cat >.jupyter/kernels/gonb/kernel.json <<EOF
{
  "argv": ["$bin/gonb", "--kernel", "{connection_file}", "-logtostderr=true", "-raw_error", "-go_work=$repo"],
  "display_name": "Go (gonb)",
  "language": "go",
  "env": {"GOEXPERIMENT": "simd", "CGO_ENABLED": "$CGO_ENABLED", "GOFLAGS": "-buildvcs=false -ldflags=-s"}
}
EOF
}

# run NOTEBOOK FOLDER: executes a notebook; its files end up in FOLDER.
run() {
  local log
  log=build/notebooks/$(basename "$1" .ipynb).log
  mkdir -p build/notebooks
  echo "notebooks: executing $1"
  "$jupyter" nbconvert --to notebook --execute --log-level=ERROR --ExecutePreprocessor.kernel_name=gonb \
    --ExecutePreprocessor.timeout=600 --output-dir "$2" "$1" 2>"$log" || {
    tail -n 40 "$log" >&2
    die "$1 failed; the error of its cell is above, the kernel's whole log is in $log"
  }
}

case ${1:-} in
setup) setup ;;
execute)
  shift
  setup
  for notebook; do
    run "$notebook" build/notebooks
    name=$(basename "$notebook" .ipynb)
    "$jupyter" nbconvert --to html --log-level=ERROR --template offline --TemplateExporter.extra_template_basedirs="$repo/notebooks/template" \
      "build/notebooks/$name.ipynb" 2>>"build/notebooks/$name.log" || die "no HTML page could be made of build/notebooks/$name.ipynb; see $name.log beside it"
    echo "notebooks: wrote build/notebooks/$name.ipynb and build/notebooks/$name.html"
  done
  ;;
commit)
  shift
  setup
  for notebook; do N2G_DISPLAY=png run "$notebook" "$(dirname "$notebook")"; done
  ;;
open)
  debian jupyter-notebook
  setup
  exec "$jupyter" notebook --ip=127.0.0.1 --notebook-dir=notebooks
  ;;
*) sed -n '2,10p' "$0" | cut -c3-; exit 1 ;;
esac
