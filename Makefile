# Tollgate. `make run` shows it at work, `make test` proves it; both install what they need on a bare Debian 12 with Swift 6.3.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Libraries that the server is built on, and what building and testing need beside them.
RUN_PACKAGES  := libnghttp2-dev libsqlite3-dev libssl-dev pkg-config
TEST_PACKAGES := $(RUN_PACKAGES) protobuf-compiler libprotobuf-dev nghttp2-client python3 python3-venv
VENV := .venv
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
	swift build -c release --product tollgate

.PHONY: run
run: build ## Build, then run a demonstration: a server, a tenant, real calls, and the proof of its book.
	.build/release/tollgate demo

.PHONY: test
test: test-deps venv check-format check-generated test-swift test-clients check-docs ## Build without warnings and run every test and check.

.PHONY: test-swift
test-swift: test-deps venv
	swift build --build-tests
	# One after the other: tests that talk to raw sockets block the few threads that the others need.
	swift test --skip-build --no-parallel

.PHONY: test-clients
test-clients: build venv ## Outside clients (Python, grpcio) against the real server.
	TOLLGATE=$(CURDIR)/.build/release/tollgate $(VENV)/bin/python -m pytest -q Tests/Clients

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

.PHONY: clean
clean: ## Remove what was built.
	rm -rf .build $(VENV)
