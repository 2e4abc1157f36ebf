/** Where the upgrade of a live database stands still: versions of migrations. The baseline is adopt's. */

/** The first of the two that convert times without a zone. */
export const conversionVersion = '20261122100100'

/** The last of the expand step; after it `make backfill` works. */
export const expandedVersion = '20261122104500'

/** The first of the contract step: it waits for the operator's word and finishes the backfill. */
export const finishVersion = '20261122104900'

/** The last of the contract step: what comes later has nothing to do with the upgrade. */
export const contractedVersion = '20261122113100'
