# The commands for people and CI. `make` without a target lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

override run := node --import tsx
# Reads the variables of the command line from MAKEFLAGS: no shell sees their values, and an unknown one is refused.
override leo := $(run) scripts/leo.ts --make
override installed := node_modules/.package-lock.json

# make would expand `$(shell …)` in the values that it exports.
unexport $(foreach word,$(MAKEOVERRIDES),$(foreach name,$(firstword $(subst :, ,$(subst =, ,$(word)))),$(if $(filter command,$(firstword $(origin $(name)))),$(name))))

.PHONY: help up down reset psql test new schema version types diagram api docs generate check diff sizes build package \
	test-matrix test-full bench bench-upgrade bench-costs status migrate adopt preflight backfill put-back verify \
	rollback doctor verify-audit key-usage rotate-keys import-env export-env retention export-user erase-user

##@ Everyone

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

up: $(installed) ## Start the embedded PostgreSQL (or use DATABASE_URL), migrate it, load sample data
	@$(leo) $@

down: $(installed) ## Stop the embedded PostgreSQL; its data stays
	@$(leo) $@

reset: $(installed) ## Remove the embedded PostgreSQL's data; refuses a database that is not local
	@$(leo) $@

psql: $(installed) ## Open the embedded database (or DATABASE_URL) in psql, or in a small SQL prompt without it
	@$(leo) $@

test: $(installed) ## Run the core tests and those that a change affects (all of them: all=1; some: file=apps,tenants)
	@$(leo) $@

##@ Developers

new: $(installed) ## Start a migration: make new name=create_widgets, or with a function to change: function=claim_generations
	@$(leo) $@

schema: $(installed) ## Write db/schema.sql from the migrations
	@$(leo) generate $@

version: $(installed) ## Write db/client/schema-version.ts from the migrations
	@$(leo) generate $@

types: $(installed) ## Write types/db.ts from the migrations
	@$(leo) generate $@

diagram: $(installed) ## Write the ER diagram in README.md from the migrations
	@$(leo) generate $@

api: $(installed) ## Write docs/api.md from the doc comments of what the package exports
	@$(leo) generate $@

docs: $(installed) ## Write build/docs/schema.html: every table with its rules and privileges, searchable
	@$(leo) $@

generate: $(installed) ## Write all generated files: schema, version, types, diagram, API page
	@$(leo) $@

check: $(installed) ## Fail on stale generated files, type errors, squawk and Supabase advisor findings
	@$(leo) $@

diff: $(installed) ## Show what a change does to schema, access, locks, types (BASE=origin/main or DATABASE_URL; html=file, markdown=1, json=1)
	@$(leo) $@

sizes: $(installed) ## Write rows and bytes of each table, read only, for make diff: make sizes file=sizes.json
	@$(leo) $@

build: $(installed) ## Compile the package into dist/
	@$(leo) $@

package: $(installed) ## Pack the query package into leo-saas-schema-<version>.tgz
	@$(leo) $@

test-matrix: $(installed) scripts/matrix/node_modules/.package-lock.json ## Run the tests on PostgreSQL 15 to 18 (some: majors=15,18)
	@$(leo) $@

test-full: test-matrix scripts/consumers/node_modules/.package-lock.json scripts/browser/node_modules/.package-lock.json ## Run all tests, including the long ones
	@$(run) scripts/leo.ts test --full

bench: $(installed) scripts/bench/peers/node_modules/.package-lock.json ## Compare the package with others, and write BENCHMARKS.md (some: only="queue secrets")
	@$(leo) $@

bench-upgrade: $(installed) ## Compare the duration of the upgrade with that of a naive one, on a separate server (rows="100000 1000000 3000000")
	@$(leo) $@

bench-costs: $(installed) ## Measure the monthly sums of a user in a ledger of a million rows, on a separate server
	@$(leo) $@

##@ DBA (on DATABASE_URL, else on the embedded database)

status: $(installed) ## Show which migrations are pending, edited, missing or out of order (all of them: all=1; json=1)
	@$(leo) $@

migrate: $(installed) ## Apply the pending migrations (only show order, SQL size, locks and time: plan=1)
	@$(leo) $@

adopt: $(installed) ## Compare a live database's tables with the baseline and record it as applied (compare only: dry=1; time_zone=UTC)
	@$(leo) $@

preflight: $(installed) ## Before an upgrade, read only: locks and time of the pending migrations, dirty data (json=1, all files: deep=1)
	@$(leo) $@

backfill: $(installed) ## Between expand and contract: migrate the rows of the previous schema (owners=file, stale_after=interval, old_writers=gone)
	@$(leo) $@

put-back: $(installed) ## Move a repaired row from quarantine to its table: make put-back table=generation_requests id=42
	@$(leo) $@

verify: $(installed) ## Compare the schema with db/schema.sql, and reconcile the row counts of the upgrade (json=1; all files: deep=1)
	@$(leo) $@

rollback: $(installed) ## Undo the newest migration, or all that are newer than to=<version> (on a remote database: CONFIRM=<database>)
	@$(leo) $@

doctor: $(installed) ## Examine a live database: locks, invalid objects, bloat, queue, roles and grants (json=1)
	@$(leo) $@

verify-audit: $(installed) ## Verify the hash chain of deployment_config_history, and print its head (head=<id>:<hash>)
	@$(leo) $@

key-usage: $(installed) ## Show how many secrets each key seals, and (with KMS_ACCEPT) which keys are not accepted (json=1)
	@$(leo) $@

# The command creates short-lived objects: a larger young generation would keep 50 MiB of garbage.
rotate-keys: $(installed) ## Wrap all secrets with the current key (calls a second: rate=200; remote: CONFIRM=<database>)
	@node --max-semi-space-size=4 --import tsx scripts/leo.ts --make $@

import-env: $(installed) ## Show what an env file would change in deployment_config; write it: CONFIRM=<database> (file=.env.production)
	@$(leo) $@

export-env: $(installed) ## Print the settings that are not secret as an env file
	@$(leo) $@

retention: $(installed) ## Show the rows that are older than the policy allows; delete them: CONFIRM=<database> (age=user_activity_log=90d; json=1)
	@$(leo) $@

export-user: $(installed) ## Write all data of one user to a file: make export-user user=<uuid> or email=<address> (file=path)
	@$(leo) $@

erase-user: $(installed) ## Show all data of a user; erase it: CONFIRM=<uuid> (user=<uuid> or email=<address>)
	@$(leo) $@

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
