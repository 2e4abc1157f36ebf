# Everything that people and CI run. `make` alone explains itself.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

run := node --import tsx
installed := node_modules/.package-lock.json

##@ Everyone

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

.PHONY: up
up: $(installed) ## Start the embedded PostgreSQL (or use DATABASE_URL), migrate it, load sample data
	@$(run) scripts/commands/up.ts

.PHONY: down
down: $(installed) ## Stop the embedded PostgreSQL; its data stays
	@$(run) scripts/commands/down.ts

.PHONY: reset
reset: $(installed) ## Remove the embedded PostgreSQL's data; refuses a database that is not local
	@$(run) scripts/commands/reset.ts

.PHONY: test
test: $(installed) ## Run the core tests and those that a change affects (all of them: all=1; some: file=apps,tenants)
	@$(run) scripts/commands/test.ts $(if $(all),--all) $(file)

##@ Developers

.PHONY: new
new: $(installed) ## Start a migration: make new name=create_widgets, or with a function to change: function=claim_generations
	@$(run) scripts/commands/new.ts $(if $(name),"--name=$$name") $(if $(function),"--function=$$function")

.PHONY: schema
schema: $(installed) ## Write db/schema.sql from the migrations
	@$(run) scripts/commands/generate.ts schema

.PHONY: version
version: $(installed) ## Write db/client/schema-version.ts from the migrations
	@$(run) scripts/commands/generate.ts version

.PHONY: types
types: $(installed) ## Write types/db.ts from the migrations
	@$(run) scripts/commands/generate.ts types

.PHONY: diagram
diagram: $(installed) ## Write the ER diagram in README.md from the migrations
	@$(run) scripts/commands/generate.ts diagram

.PHONY: api
api: $(installed) ## Write docs/api.md from the doc comments of what the package exports
	@$(run) scripts/commands/generate.ts api

.PHONY: docs
docs: $(installed) ## Write build/docs/schema.html: every table, its rules and who may do what, searchable
	@$(run) scripts/commands/docs.ts

.PHONY: generate
generate: $(installed) ## Write all generated files: schema, version, types, diagram, API page
	@$(run) scripts/commands/generate.ts schema version types diagram api

.PHONY: check
check: $(installed) ## Fail on stale generated files, type errors, squawk and Supabase advisor findings
	@$(run) scripts/commands/check.ts

.PHONY: diff
diff: $(installed) ## Show what a change does to schema, access, locks, types (BASE=origin/main or DATABASE_URL; html=file, markdown=1, json=1)
	@$(run) scripts/commands/diff.ts $(if $(markdown),--markdown) $(if $(json),--json) $(if $(html),"--html=$$html") \
		$(if $(sizes),"--sizes=$$sizes") $(if $(fail_on),"--fail-on=$$fail_on")

.PHONY: sizes
sizes: $(installed) ## Write rows and bytes of each table, read only, for make diff: make sizes file=sizes.json
	@$(run) scripts/commands/sizes.ts "--file=$$file"

.PHONY: build
build: $(installed) ## Compile the package into dist/
	@rm -rf dist && node_modules/.bin/tsc -p tsconfig.build.json

.PHONY: package
package: build ## Pack the query package into leo-saas-schema-<version>.tgz
	@npm pack

majors ?= 15 16 17 18
.PHONY: test-matrix
test-matrix: $(installed) scripts/matrix/node_modules/.package-lock.json ## Run the tests on PostgreSQL 15 to 18 (some: make test-matrix majors="15 18")
	@set -e; for major in $(majors); do $(run) scripts/commands/test.ts --all --major=$$major $(file); done

.PHONY: bench-upgrade
bench-upgrade: $(installed) ## Measure the upgrade beside a naive one, on a server of its own (rows="100000 1000000 3000000")
	@$(run) scripts/upgrade/bench/upgrade.ts $(if $(rows),"--rows=$$rows")

.PHONY: test-full
test-full: test-matrix scripts/consumers/node_modules/.package-lock.json scripts/browser/node_modules/.package-lock.json ## Run everything, the long proofs too
	@$(run) scripts/commands/test.ts --full

.PHONY: bench
bench: $(installed) scripts/bench/peers/node_modules/.package-lock.json ## Measure the package side by side with others, and write BENCHMARKS.md (some: only="queue secrets")
	@$(run) scripts/bench/run.ts $(if $(only),"--only=$$only")

.PHONY: bench-costs
bench-costs: $(installed) ## Time a user's sums per month in a ledger of a million rows, on a server of its own
	@$(run) scripts/bench/costs.ts

##@ DBA (on DATABASE_URL, else on the embedded database)

.PHONY: status
status: $(installed) ## Show which migrations are applied, pending, edited or missing
	@$(run) scripts/commands/status.ts

.PHONY: migrate
migrate: $(installed) ## Apply the pending migrations
	@$(run) scripts/commands/migrate.ts

.PHONY: adopt
adopt: $(installed) ## Compare a live database's tables with the baseline and record it as applied (a look only: dry=1; time_zone=UTC)
	@$(run) scripts/commands/adopt.ts $(if $(dry),--dry-run) $(if $(time_zone),"--time-zone=$$time_zone")

.PHONY: preflight
preflight: $(installed) ## Before an upgrade, read only: locks and time of what is pending, dirty data (json=1, all files: deep=1)
	@$(run) scripts/commands/preflight.ts $(if $(json),--json) $(if $(deep),--deep)

.PHONY: backfill
backfill: $(installed) ## Between expand and contract: bring old rows over (owners=file, stale_after=interval, old_writers=gone)
	@$(run) scripts/commands/backfill.ts $(if $(owners),"--owners=$$owners") $(if $(stale_after),"--stale-after=$$stale_after") $(if $(old_writers),"--old-writers=$$old_writers")

.PHONY: put-back
put-back: $(installed) ## Move a repaired row from quarantine to its table: make put-back table=generation_requests id=42
	@$(run) scripts/commands/put-back.ts "--table=$$table" "--id=$$id"

.PHONY: verify
verify: $(installed) ## After it all: is the schema db/schema.sql, do the books balance? (for machines: json=1; read all files: deep=1)
	@$(run) scripts/commands/verify.ts $(if $(json),--json) $(if $(deep),--deep)

.PHONY: rollback
rollback: $(installed) ## Undo the newest migration (on a remote database: CONFIRM=<database>)
	@$(run) scripts/commands/rollback.ts

.PHONY: doctor
doctor: $(installed) ## Look at a live database: locks, invalid objects, bloat, queue, roles and grants
	@$(run) scripts/commands/doctor.ts $(if $(json),--json)

.PHONY: verify-audit
verify-audit: $(installed) ## Prove that the history of config is whole, and print its head to keep elsewhere (head=<id>:<hash>)
	@$(run) scripts/commands/verify-audit.ts $(if $(head),"--head=$$head")

.PHONY: key-usage
key-usage: $(installed) ## Show how many secrets each key sealed, and (with KMS_ACCEPT) which keys are not accepted
	@$(run) scripts/commands/key-usage.ts

.PHONY: rotate-keys
rotate-keys: $(installed) ## Wrap all secrets by the key that seals now (calls a second: rate=200; remote: CONFIRM=<database>)
	@# Its garbage is short-lived: else it would keep 50 MiB of it about.
	@node --max-semi-space-size=4 --import tsx scripts/commands/rotate-keys.ts $(if $(rate),"--rate=$$rate")

.PHONY: import-env
import-env: $(installed) ## Show what an env file would change in deployment_config; write it: CONFIRM=<database> (file=.env.production)
	@$(run) scripts/commands/import-env.ts "--file=$$file" $(if $(settings),"--settings=$$settings")

.PHONY: export-env
export-env: $(installed) ## Print the settings that are not secret as an env file
	@$(run) scripts/commands/export-env.ts

.PHONY: retention
retention: $(installed) ## Show what is older than the policy wants; delete it: CONFIRM=<database> (age="user_activity_log=90d")
	@$(run) scripts/commands/retention.ts $(if $(age),"--age=$$age")

.PHONY: export-user
export-user: $(installed) ## Write everything of one user to a file: make export-user user=<uuid> (file=path)
	@$(run) scripts/commands/export-user.ts "--user=$$user" $(if $(file),"--file=$$file")

.PHONY: erase-user
erase-user: $(installed) ## Show what there is of a user; erase it all, and prove it: make erase-user user=<uuid> CONFIRM=<uuid>
	@$(run) scripts/commands/erase-user.ts "--user=$$user"

$(installed): package-lock.json
	@echo 'installing packages, about half a minute'
	@npm ci --no-fund --no-audit
	@touch $@

scripts/matrix/node_modules/.package-lock.json: scripts/matrix/package-lock.json
	@echo 'installing PostgreSQL 15, 16 and 18, some 180 MB'
	@npm ci --no-fund --no-audit --prefix scripts/matrix
	@touch $@

scripts/consumers/node_modules/.package-lock.json: scripts/consumers/package-lock.json
	@echo 'installing Node 22 and 24, some 240 MB'
	@npm ci --no-fund --no-audit --prefix scripts/consumers
	@touch $@

scripts/browser/node_modules/.package-lock.json: scripts/browser/package-lock.json
	@echo 'installing a browser, some 130 MB'
	@npm ci --no-fund --no-audit --prefix scripts/browser
	@touch $@

scripts/bench/peers/node_modules/.package-lock.json: scripts/bench/peers/package-lock.json
	@echo 'installing graphile-worker, pg-boss, the AWS Encryption SDK and vega'
	@npm ci --no-fund --no-audit --prefix scripts/bench/peers
	@touch $@
