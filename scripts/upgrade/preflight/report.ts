import type { Difference } from '../adopt/difference.ts'
import type { MigrationForecast } from '../../schema/measure/forecast.ts'
import type { TableSize } from '../../schema/measure/sizes.ts'

/**
 * The output of `npm run --silent preflight -- --json`. Codes, keys and structure are stable across versions; sentences are
 * for people and may change. It contains ids, but no name, prompt, URL or file of a customer.
 */
export interface Report {
  readonly format: 1
  readonly database: string
  readonly server_version: string
  /** The exit code is 0 for `go`, 1 for `decide`, 2 for `refused`. */
  readonly verdict: Verdict
  /** The next command to run. */
  readonly next: string
  readonly milliseconds: number
  /** Findings that prevent the upgrade. */
  readonly refusals: readonly Finding[]
  /** Decisions for the operator. `remedy` describes the default. */
  readonly questions: readonly Finding[]
  /** Findings that require no action. */
  readonly notes: readonly Finding[]
  readonly adoption: Adoption
  /** Sizes of the tables that the baseline or a pending migration uses. */
  readonly tables: readonly TableSize[]
  /** Pending migrations in the order of execution. Empty if they could not be measured. */
  readonly migrations: readonly MigrationForecast[]
  readonly data: Data
}

export type Verdict = 'go' | 'decide' | 'refused'

export interface Finding {
  readonly code: string
  readonly what: string
  readonly remedy: string
}

export interface Adoption {
  /**
   * `adopted`: adopted, or created by the baseline migration. `to adopt`: all differences are harmless. `nothing there`: the
   * database has none of the tables.
   */
  readonly outcome: 'adopted' | 'to adopt' | 'refused' | 'nothing there'
  /** The differences that `make adopt` would print; for an adopted database, those that it has not recorded. */
  readonly differences: readonly Difference[]
}

export interface Data {
  /**
   * `before expand`, `backfill pending`: `cases` counts the current rows. `nothing to do`: the contract step has started, or
   * the tables do not exist. `not examined`: the tables differ from the baseline, see `refusals`.
   */
  readonly stage: Stage
  /** All cases, including those with a count of 0. */
  readonly cases: readonly Case[]
  /** App ids that several users claim, for the file of `make backfill owners=…`; at most `maxContested`. */
  readonly contested: readonly ContestedApp[]
}

export type Stage = 'before expand' | 'backfill pending' | 'nothing to do' | 'not examined'

export interface Case {
  /** One of `caseCodes`. */
  readonly code: string
  readonly title: string
  /** The unit of `count` and of the ids in `examples`. */
  readonly of: 'requests' | 'snapshots' | 'apps' | 'columns' | 'values'
  readonly fate: Fate
  readonly count: number
  /** At most five, in ascending order. */
  readonly examples: readonly string[]
  /** Present if only a sample was examined: its size and the estimated total. `count` is that of the sample. */
  readonly sample?: { readonly looked_at: number; readonly of: number }
  /** What the upgrade does with these rows. */
  readonly what: string
}

/**
 * `mended`: repaired, the original value logged. `quarantined`: moved to private.quarantine. `kept`: migrated unchanged.
 * `question`: the operator decides. `refused`: prevents the upgrade.
 */
export type Fate = 'mended' | 'quarantined' | 'kept' | 'question' | 'refused'

export interface ContestedApp {
  readonly app_id: string
  readonly claims: ReadonlyArray<{ readonly user_id: string; readonly requests: number }>
}

export const maxContested = 10_000

export const verdictOf = ({ refusals, questions }: Pick<Report, 'refusals' | 'questions'>): Verdict => {
  if (refusals.length > 0) return 'refused'
  return questions.length > 0 ? 'decide' : 'go'
}

export const exitCode = ({ verdict }: Report): number => ({ go: 0, decide: 1, refused: 2 })[verdict]
