# Tollgate. `make run` shows it at work, `make test` proves it; both install what they need on a bare Debian 12 with Swift 6.3.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Libraries that the server is built on, and what building and testing need beside them.
RUN_PACKAGES  := libnghttp2-dev libsqlite3-dev libssl-dev pkg-config
TEST_PACKAGES := $(RUN_PACKAGES) protobuf-compiler libprotobuf-dev nghttp2-client python3 python3-venv
BENCH_PACKAGES := $(RUN_PACKAGES) protobuf-compiler libprotobuf-dev protobuf-compiler-grpc libgrpc++-dev libhiredis-dev g++ \
	postgresql-15 redis-server nghttp2-client nghttp2-server linux-perf valgrind binutils util-linux python3
VENV := .venv
# The runtime within the binary: calls into it, of which a step makes hundreds, then go there directly, and it runs where no
# Swift is installed.
RELEASE := -c release --static-swift-stdlib
# The benchmark's peers: where they are built, and of which schemas.
PEERS := .build/bench
PEER_FLAGS := -std=c++20 -O2 -Wall -Wextra
PEER_SCHEMAS := tollgate/v1/options tollgate/v1/common tollgate/v1/metering google/rpc/status
APT  := $(if $(filter 0,$(shell id -u)),,sudo )apt-get

.PHONY: help
help: ## Show the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.PHONY: deps
deps:
	@missing=$$(for p in $(RUN_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -n "$$missing" ]; then $(APT) update -qq && DEBIAN_FRONTEND=noninteractive $(APT) install -y -qq --no-install-recommends $$missing; fi

.PHONY: test-deps
test-deps:
	@missing=$$(for p in $(TEST_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -n "$$missing" ]; then $(APT) update -qq && DEBIAN_FRONTEND=noninteractive $(APT) install -y -qq --no-install-recommends $$missing; fi

.PHONY: venv
venv: $(VENV)/.installed

$(VENV)/.installed: Tests/Clients/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

.PHONY: build
build: deps ## Build for release: .build/release/tollgate.
	swift build $(RELEASE) --product tollgate

.PHONY: run
run: build ## Build, then run a demonstration: a server, a tenant, real calls, and the proof of its book.
	.build/release/tollgate demo

.PHONY: test
test: test-deps venv check-format check-generated test-swift test-simulation test-clients check-docs ## Build without warnings and run every test and check.

.PHONY: test-swift
test-swift: test-deps venv
	swift build --build-tests
	# One after the other: tests that talk to raw sockets block the few threads that the others need.
	swift test --skip-build --no-parallel

.PHONY: test-clients
test-clients: build venv ## Outside clients (Python, grpcio) against the real server.
	TOLLGATE=$(CURDIR)/.build/release/tollgate $(VENV)/bin/python -m pytest -q Tests/Clients

.PHONY: test-fuzz
test-fuzz: test-deps ## The committed inputs through every fuzz target, and inputs made of them; test-swift has it.
	swift build --build-tests
	swift test --skip-build --filter FuzzTests

# Seconds for each target; the targets, all of them unless named.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=

.PHONY: fuzz
fuzz: test-deps ## Fuzz what reads strangers' bytes: FUZZ_SECONDS=60 each, FUZZ_TARGETS="json catalog".
	Tests/Fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS)

.PHONY: fuzz-corpus
fuzz-corpus: test-deps ## Make the committed inputs anew of what fuzzing has found.
	Tests/Fuzz/run.sh merge $(FUZZ_TARGETS)

.PHONY: sanitize
sanitize: test-deps venv ## All tests with AddressSanitizer, then with ThreadSanitizer; any report fails.
	Tests/sanitize.sh address
	Tests/sanitize.sh thread

.PHONY: soak-clients
soak-clients: build venv
	TOLLGATE_LONG=1 TOLLGATE=$(CURDIR)/.build/release/tollgate $(VENV)/bin/python -m pytest -q -o faulthandler_timeout=0 Tests/Clients/test_kill.py Tests/Clients/test_memory.py

# The simulation: as many seeds as CI affords, and one of them twice, as it must be the same run. `make soak` is the long form.
SIMULATE := .build/release/Simulate
SIMULATION := 1-60
SOAK := 1-1000
STEPS := 10000

.PHONY: simulator
simulator: deps
	swift build $(RELEASE) --product Simulate

.PHONY: test-simulation
test-simulation: simulator ## The engine on a simulated disk and clock: crashes, faults, damage, from seeds.
	$(SIMULATE) --seeds $(SIMULATION) --steps $(STEPS)
	once=$$($(SIMULATE) --seed 7 --steps 3000 | grep -ao 'digest [0-9a-f]*') && \
	again=$$($(SIMULATE) --seed 7 --steps 3000 | grep -ao 'digest [0-9a-f]*') && test "$$once" = "$$again"

.PHONY: soak
soak: soak-simulation soak-clients ## The long forms: ten million simulated steps over a thousand seeds, 1,000 rounds of kill -9, 100,000 tenants.

.PHONY: soak-simulation
soak-simulation: simulator
	nice $(SIMULATE) --seeds $(SOAK) --steps $(STEPS)

.PHONY: mutants
mutants: deps ## Break each promise on purpose, and see that a proof finds it.
	Tests/mutants.sh

.PHONY: generate
generate: test-deps ## Regenerate the Swift of Schemas/.
	Schemas/generate.sh

.PHONY: check-generated
check-generated: test-deps
	Schemas/generate.sh --check

.PHONY: format
format: ## Format the Swift sources.
	swift format format --in-place --parallel --recursive Package.swift Sources Tests

.PHONY: check-format
check-format:
	swift format lint --strict --parallel --recursive Package.swift Sources Tests

.PHONY: check-docs
check-docs: build
	Tests/check-docs.sh

.PHONY: bench
bench: build bench-peers ## Measure Tollgate beside PostgreSQL, Redis and gRPC C++: more than two hours, results in Bench/results.
	python3 Bench/run.py --tollgate .build/release/tollgate --peers $(PEERS) $(BENCH)

.PHONY: bench-quick
bench-quick: build bench-peers ## The same in minutes, to test the harness: its figures mean nothing.
	python3 Bench/run.py --quick --tollgate .build/release/tollgate --peers $(PEERS) --out Bench/results/quick $(BENCH)

.PHONY: bench-overload
bench-overload: build ## Measure goodput and fairness under more load than the server takes: some 15 minutes.
	python3 Bench/overload.py --tollgate .build/release/tollgate $(BENCH)

.PHONY: bench-attacks
bench-attacks: build venv ## Measure what a well-behaved caller notices of attacks: some 15 minutes.
	$(VENV)/bin/python Bench/attacks.py --tollgate .build/release/tollgate $(BENCH)

# Debian starts a database when it is installed; the benchmark's are its own, so that one is told not to.
.PHONY: bench-deps
bench-deps:
	@missing=$$(for p in $(BENCH_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -n "$$missing" ]; then $(APT) update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $(APT) install -y -qq --no-install-recommends $$missing; fi

.PHONY: bench-peers
bench-peers: bench-deps $(PEERS)/grpc-sqlite $(PEERS)/redis-load

$(PEERS)/redis-load: Bench/peers/redis/load.cpp
	@mkdir -p $(@D)
	g++ $(PEER_FLAGS) $< -o $@ $$(pkg-config --cflags --libs hiredis)

$(PEERS)/grpc-sqlite: Bench/peers/grpc/server.cpp $(PEER_SCHEMAS:%=Schemas/%.proto)
	@mkdir -p $(@D)/generated
	protoc -ISchemas --cpp_out=$(@D)/generated --grpc_out=$(@D)/generated \
	    --plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin) $(PEER_SCHEMAS:%=Schemas/%.proto)
	g++ $(PEER_FLAGS) -I$(@D)/generated $(PEER_SCHEMAS:%=$(@D)/generated/%.pb.cc) $(@D)/generated/tollgate/v1/metering.grpc.pb.cc \
	    $< -o $@ $$(pkg-config --cflags --libs grpc++ protobuf sqlite3)

.PHONY: clean
clean: ## Remove what was built.
	rm -rf .build $(VENV)
