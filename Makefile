# Every command that the README names. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo up down check test bench bench-churn lint control-plane crds rbac render image-root fuzz

help: ## List the commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Show the operator at work on a real control plane, then clean up.
	@hack/playground demo

up: ## Start the playground and leave it running.
	@hack/playground up

down: ## End the playground.
	@hack/playground down

control-plane: ## Find or build kube-apiserver, kube-controller-manager, etcd and kubectl; print their folder.
	@tests/control-plane/build

# As many histories as fit into a minute or two; `make test` runs ten thousand.
check: export HISTORIES ?= 1000
check: ## Check format and lints, and run the tests that need no control plane: what to do before each commit.
	@cargo fmt --check
	@cargo clippy --locked --all-targets -- -D warnings
	@cargo test --locked --lib --bins
	@cargo test --locked --test integration -- --skip cluster:: --skip gitops::

test: ## Run every test.
	@tests/control-plane/build >/dev/null
	@tests/control-plane/build-tool helm >/dev/null
	@tests/control-plane/build-tool gitops >/dev/null
	@tests/control-plane/build-tool promtool >/dev/null
	@hack/image-root >/dev/null
	@cargo build --locked --bin jwk-operator
	@cargo test --locked

image-root: ## Build what the image is made of, without a container; print its folder.
	@hack/image-root

N ?= 1000
bench: ## Measure N fresh sets (N=1000) beside bare calls: time, calls, memory.
	@tests/control-plane/build >/dev/null
	@hack/image-root >/dev/null
	@cargo bench --locked --bench fleet -- fresh $(N)

bench-churn: ## Measure the memory after N (1500) sets that come and go, three times; 25 minutes.
	@tests/control-plane/build >/dev/null
	@hack/image-root >/dev/null
	@cargo bench --locked --bench fleet -- churn $(if $(filter command line,$(origin N)),$(N),1500)

fuzz: ## Run each fuzz target for a minute, beginning with the vectors of the tests.
	@hack/fuzz

lint: ## Check format, lints, scripts and dependencies.
	@hack/lint

crds: ## Write crds/ anew from the Rust types.
	@cargo run --locked --quiet -- crds --output crds
	@cargo run --locked --quiet -- crds --output charts/jwk-operator/files/crds

rbac: ## Write deploy/rbac/ anew from the table of permissions.
	@cargo run --locked --quiet -- rbac > deploy/rbac/cluster.yaml
	@cargo run --locked --quiet -- rbac --watch-namespace shop --watch-namespace bank > deploy/rbac/namespaces.yaml
	@cargo run --locked --quiet -- rbac --users > deploy/rbac/users.yaml
	@cargo run --locked --quiet -- rbac --chart charts/jwk-operator/files/rules

render: ## Write what is made from the chart: deploy/base, the overlay for one namespace, the chart's README.
	@hack/render
