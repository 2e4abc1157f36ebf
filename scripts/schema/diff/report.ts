import type { Advice } from '../lint/advisors.ts'
import type { StatementEffect } from '../measure/measure.ts'
import type { Finding as LintFinding } from '../lint/squawk.ts'
import type { Drawing } from '../render/drawing.ts'
import type { Hunk } from '../compare/hunks.ts'
import type { Change, Severity } from '../catalog/model.ts'
import type { Cell } from './cells.ts'
import type { TypesReport } from '../types/compare.ts'

/**
 * What `make diff json=1` prints. Names and this shape are kept from version to version; sentences are for people and
 * may change. The same sides give the same bytes.
 */
export interface Report {
  readonly format: 1
  readonly base: string
  readonly head: string
  /** What could not be compared, and why; whoever reads no more than the top has to know. */
  readonly leftOut: readonly string[]
  readonly verdict: Severity
  /** The worst first. */
  readonly reasons: readonly Reason[]
  /** `null` with a database on either side. */
  readonly files: FilesReport | null
  readonly changes: readonly Change[]
  /** What the dumps say differently and no change does. */
  readonly remaining: readonly Hunk[]
  /** Of the access matrix, those that differ. */
  readonly cells: readonly Cell[]
  /** By migration, as measured; `null` with a database on either side. */
  readonly locks: readonly MeasuredFile[] | null
  /** `null` with a database on either side. */
  readonly lint: LintReport | null
  readonly types: TypesReport
  /** `null` with a database on either side. */
  readonly rollback: RollbackReport | null
  readonly notes: readonly string[]
  /** `null` when no table is touched. */
  readonly drawing: Drawing | null
}

/** What the verdict and all that follows from it are made of. */
export type Seen = Omit<Report, 'format' | 'verdict' | 'reasons' | 'notes' | 'drawing'>

export interface Reason {
  readonly severity: Severity
  /** Which object or file. */
  readonly of: string
  readonly why: string
}

export interface FilesReport {
  readonly added: readonly FileReport[]
  /** Of base, which the branch does not have yet. */
  readonly ahead: readonly string[]
}

export interface FileReport {
  readonly file: string
  readonly transaction: boolean
  readonly isCommitted: boolean
  readonly down: Down
}

/**
 * `undoes`: run, and it worked. `refuses`: it raises, and says why. `fails`: it was meant to work. `not reached`: a
 * later one did not work.
 */
export interface Down {
  readonly outcome: 'undoes' | 'refuses' | 'fails' | 'not reached'
  /** What it says when it refuses or fails. */
  readonly why: string | null
  /** Whether it has conditions under which it raises, though it did not here. */
  readonly mayRefuse: boolean
}

export interface MeasuredFile {
  readonly file: string
  readonly transaction: boolean
  readonly effects: readonly StatementEffect[]
  /** Of the tables locked, where a size file knows them. */
  readonly sizes: Readonly<Record<string, Size>>
}

export interface Size {
  readonly rows: number
  readonly bytes: number
}

export interface LintReport {
  readonly findings: readonly LintFinding[]
  readonly suppressions: readonly Suppression[]
  /** Of Supabase's advisors, what base does not have. */
  readonly advice: readonly Advice[]
}

export interface Suppression {
  readonly file: string
  readonly line: number
  readonly rule: string
  readonly reason: string
}

export interface RollbackReport {
  /** What is different from base after up and down, and from head after up, down and up. */
  readonly afterDown: readonly string[]
  readonly afterUp: readonly string[]
  /** Data that a rollback loses, or does not bring back. */
  readonly losses: readonly string[]
}
