import type { Difference } from '../adopt/difference.ts'
import type { MigrationForecast } from '../../schema/measure/forecast.ts'
import type { TableSize } from '../../schema/measure/sizes.ts'

/**
 * What `npm run --silent preflight -- --json` prints. Codes, names and this shape are kept from version to version;
 * sentences are for people and may change. It holds ids, never a name, a prompt, an address or a file of a customer.
 */
export interface Report {
  readonly format: 1
  readonly database: string
  readonly server_version: string
  /** `go` is exit code 0, `decide` 1, `refused` 2. */
  readonly verdict: Verdict
  /** What to run next. */
  readonly next: string
  readonly milliseconds: number
  /** What forbids to go on. */
  readonly refusals: readonly Finding[]
  /** What the operator has to decide first; each has an answer by default, which `what` names. */
  readonly questions: readonly Finding[]
  /** Worth knowing, and nothing to do. */
  readonly notes: readonly Finding[]
  readonly adoption: Adoption
  /** The tables that pending migrations touch, as they are on this database. */
  readonly tables: readonly TableSize[]
  /** Pending ones, in the order in which they will run. Without `statements` when nothing could be measured. */
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
   * `adopted` counts for databases that ran the baseline, too; `to adopt` has only harmless differences; `nothing there`
   * is a database without the tables.
   */
  readonly outcome: 'adopted' | 'to adopt' | 'refused' | 'nothing there'
  /** Those that `make adopt` would show; of an adopted database, those that it does not know. */
  readonly differences: readonly Difference[]
}

export interface Data {
  /**
   * `before expand`, `backfill pending`: cases are what is there now. `nothing to do`: the contract step has begun, or
   * there are no tables. `not examined`: the tables are not what the questions are about, see `refusals`.
   */
  readonly stage: Stage
  /** Every case, also those that were not found. */
  readonly cases: readonly Case[]
  /** App ids that several users claim, for the file of `make backfill owners=…`; at most `contestedListed`. */
  readonly contested: readonly ContestedApp[]
}

export type Stage = 'before expand' | 'backfill pending' | 'nothing to do' | 'not examined'

export interface Case {
  /** One of `caseCodes`. */
  readonly code: string
  readonly title: string
  /** What `count` counts, and `examples` are the ids of. */
  readonly of: 'requests' | 'snapshots' | 'apps' | 'columns' | 'values'
  readonly fate: Fate
  readonly count: number
  /** Five at most, lowest first. */
  readonly examples: readonly string[]
  /** Where not all was looked at: how much of about how much. Then `count` is of what was looked at. */
  readonly sample?: { readonly looked_at: number; readonly of: number }
  /** What will be done about it. */
  readonly what: string
}

/**
 * `mended`: changed, the original logged. `quarantined`: moved whole. `kept`: migrates as it is. `question`: waits for
 * the operator. `refused`: stops the upgrade.
 */
export type Fate = 'mended' | 'quarantined' | 'kept' | 'question' | 'refused'

export interface ContestedApp {
  readonly app_id: string
  readonly claims: ReadonlyArray<{ readonly user_id: string; readonly requests: number }>
}

export const contestedListed = 10_000

export const verdictOf = ({ refusals, questions }: Pick<Report, 'refusals' | 'questions'>): Verdict => {
  if (refusals.length > 0) return 'refused'
  return questions.length > 0 ? 'decide' : 'go'
}

export const exitCode = ({ verdict }: Report): number => ({ go: 0, decide: 1, refused: 2 })[verdict]
