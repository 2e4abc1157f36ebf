/** Versions of the migrations at which the upgrade of a live database pauses. The baseline is in adopt/baseline.ts. */

/** The first of the two migrations that convert timestamp columns to timestamptz. */
export const conversionVersion = '20261122100100'

/** The last migration of the expand step. `make backfill` runs after it. */
export const expandedVersion = '20261122104500'

/** The first migration of the contract step: requires the operator's confirmation and finishes the backfill. */
export const finishVersion = '20261122104900'

/** The last migration of the contract step. Later migrations are not part of the upgrade. */
export const contractedVersion = '20261122113100'
