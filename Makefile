# All checks of this repository. Only Go must be installed: everything else is
# installed with apt-get where that is possible.

.DEFAULT_GOAL := test
.PHONY: test vet lint fmt tidy-check compiler browser bench soak

GOLANGCI_LINT := golangci-lint@v2.15.0
TEST_TIMEOUT ?= 25m
TEST_FLAGS ?=

# The measurements are a separate module.
MODULES := . $(patsubst %/go.mod,%,$(wildcard */go.mod))
each-module = @set -e; for module in $(MODULES); do (cd "$$module" && $(1)); done

# SQLite in Go is machine-translated C: checking each pointer conversion would
# check the translator, and takes a third of a test's time.
RACE := -race -gcflags="modernc.org/...=-d=checkptr=0"

# All tests, on SQLite and on a PostgreSQL server that is started for them, or on
# the one whose URL is in AUDIT_TEST_POSTGRES; with the race detector, except for
# the suites of gormhook, which count sequences and allocations: of those, only
# the ones about concurrency. Tests mostly wait for databases, so two lanes finish
# sooner than one.
test: compiler browser
	CGO_ENABLED=1 go run ./internal/withpostgres sh -c '\
		go test $(RACE) -shuffle=on -timeout=$(TEST_TIMEOUT) $(TEST_FLAGS) $$(go list ./... | grep -v /gormhook$$) & others=$$!; \
		failed=0; \
		go test -shuffle=on -timeout=$(TEST_TIMEOUT) $(TEST_FLAGS) ./gormhook || failed=1; \
		go test $(RACE) -timeout=$(TEST_TIMEOUT) $(TEST_FLAGS) -run "TestInterleaved|TestConformance/sqlite" ./gormhook || failed=1; \
		go test -timeout=$(TEST_TIMEOUT) $(TEST_FLAGS) -run Alloc ./zapfield ./middleware || failed=1; \
		(cd bench && go test -timeout=$(TEST_TIMEOUT) $(TEST_FLAGS) ./...) || failed=1; \
		wait $$others && exit $$failed'

vet:
	$(call each-module,go vet ./...)

# The linters of .golangci.yml, and whether the formatters have anything to do.
# Without cgo: compiling C takes longer than all of them.
lint: bin/$(GOLANGCI_LINT)
	$(call each-module,CGO_ENABLED=0 "$(CURDIR)/$<" run ./...)

fmt: bin/$(GOLANGCI_LINT)
	$(call each-module,"$(CURDIR)/$<" fmt ./...)

# Whether go.mod and go.sum match the code, and users get what was tested.
tidy-check:
	$(call each-module,go mod tidy -diff)
	@! grep -n '^replace' go.mod || { echo 'go.mod must not replace a module: users would not get what was tested' >&2; exit 1; }

# The linter is built once per version, with this machine's Go.
bin/$(GOLANGCI_LINT):
	GOBIN="$(CURDIR)/bin" GOFLAGS= CGO_ENABLED=0 go install github.com/golangci/golangci-lint/v2/cmd/$(GOLANGCI_LINT)
	mv bin/golangci-lint "$@"

apt = { as=; [ "$$(id -u)" = 0 ] || as='sudo -n'; \
	$$as apt-get -qq update && \
	$$as env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $(1); } </dev/null >&2

# The race detector needs C.
compiler:
	@set -- $$(go env CC); command -v "$$1" >/dev/null || $(call apt,gcc libc6-dev)

# The pages are tested in a browser. If none can be installed, that test says
# what is missing.
browser:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome || \
		! command -v apt-get; } >/dev/null || $(call apt,chromium) || :

# What auditing costs, as Markdown. The flags select what is measured:
# make bench BENCH_FLAGS='-parts postgres -operations create,update'.
BENCH_FLAGS ?=
bench:
	@cd bench && go run . $(BENCH_FLAGS)

# Whether a process that writes for ten minutes keeps its size.
SOAK ?= 10m
soak:
	AUDIT_REPLAY_SEQUENCES=100000 go run ./internal/withpostgres go test -timeout=0 -run TestReplay -v ./gormhook
	@cd bench && go run . -soak $(SOAK)
