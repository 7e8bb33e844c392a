# Everything that is done with hop3's source. On a bare Debian machine with Go
# each target installs what it needs first (.ci/setup).

GO       ?= go
COMMIT   := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.commit=$(COMMIT)
FUZZTIME ?= 20s
# Tests wait for processes and builds as much as they compute.
PARALLEL ?= $(shell echo $$(( $$(nproc) * 3 / 2 )))

export CGO_ENABLED ?= 0

.PHONY: build setup demo test test-all check bench bench-router fuzz clean

build: ## the hop3 binary: static, no cgo
	$(GO) build -trimpath -ldflags '-s -w' -o internal/slim/program.bin ./internal/slim/program
	$(GO) build -trimpath -tags slim -ldflags '$(LDFLAGS)' -o hop3 ./cmd/hop3

setup: ## installs nix, git, ssh, curl and nix's build users where they are missing
	@.ci/setup

demo: setup build ## starts a server, pushes an example, changes it under load, rolls back
	@$(GO) run ./internal/demo ./hop3

test: ## all tests, with the race detector
	@.ci/setup test
	@$(MAKE) check
	CGO_ENABLED=1 $(GO) test -race -vet=off -shuffle=on -p $(PARALLEL) -parallel $(PARALLEL) -timeout 30m ./...

test-all: ## the tests, and those of the stacks with slow compilers: before each release
	@.ci/setup test
	@$(MAKE) check
	CGO_ENABLED=1 $(GO) test -race -vet=off -shuffle=on -p $(PARALLEL) -parallel $(PARALLEL) -tags slow -timeout 90m ./...

check: ## format, vet, staticcheck, architecture
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; }
	$(GO) vet -tags slow ./...
	$(GO) tool staticcheck -tags slow ./...
	$(GO) test ./internal/arch

bench: ## benchmarks, as ratios to a peer in the same run
	@.ci/setup bench
	$(GO) test -run '^$$' -bench . -benchtime 1s ./...

bench-router: ## the router beside nginx, Caddy and kamal-proxy: what is installed of the last two
	@.ci/setup bench
	@$(GO) run ./internal/routerbench

fuzz: ## each fuzz test for FUZZTIME
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

clean:
	rm -f hop3 internal/slim/program.bin
