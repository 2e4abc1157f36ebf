import type { Advice } from '../lint/advisors.ts'
import type { StatementEffect } from '../measure/measure.ts'
import type { Finding as LintFinding } from '../lint/squawk.ts'
import type { Drawing } from '../render/drawing.ts'
import type { Hunk } from '../compare/hunks.ts'
import type { Change, Severity } from '../catalog/model.ts'
import type { Cell } from './access-matrix.ts'
import type { TypesReport } from '../types/compare.ts'

/**
 * The output of `make diff json=1`. Names and structure are stable between versions; sentences are for people and can
 * change. The same two sides give the same bytes.
 */
export interface Report {
  readonly format: 1
  readonly base: string
  readonly head: string
  /** What could not be compared, and why. Shown at the top of each format. */
  readonly leftOut: readonly string[]
  readonly verdict: Severity
  /** The most severe first. */
  readonly reasons: readonly Reason[]
  /** `null` with a database on either side. */
  readonly files: FilesReport | null
  readonly changes: readonly Change[]
  /** Dump differences that no change explains. */
  readonly remaining: readonly Hunk[]
  /** The cells of the access matrix that differ. */
  readonly cells: readonly Cell[]
  /** Measured effects by migration; `null` with a database on either side. */
  readonly locks: readonly MeasuredFile[] | null
  /** `null` with a database on either side. */
  readonly lint: LintReport | null
  readonly types: TypesReport
  /** `null` with a database on either side. */
  readonly rollback: RollbackReport | null
  readonly notes: readonly string[]
  /** `null` when no table changed. */
  readonly drawing: Drawing | null
}

/** The part of a report from which the rest is derived. */
export type Findings = Omit<Report, 'format' | 'verdict' | 'reasons' | 'notes' | 'drawing'>

export interface Reason {
  readonly severity: Severity
  /** The object or file. */
  readonly of: string
  readonly why: string
}

export interface FilesReport {
  readonly added: readonly FileReport[]
  /** Migrations of base that the branch does not have yet. */
  readonly ahead: readonly string[]
}

export interface FileReport {
  readonly file: string
  readonly transaction: boolean
  readonly isCommitted: boolean
  readonly down: Down
}

/**
 * Result of running a down section. `undoes`: it succeeded. `refuses`: its own `raise exception` stopped it. `fails`:
 * another error. `not reached`: the down section of a newer migration did not succeed.
 */
export interface Down {
  readonly outcome: 'undoes' | 'refuses' | 'fails' | 'not reached'
  /** The error message when it refuses or fails. */
  readonly why: string | null
  /** Whether it contains `raise exception`, even if that was not reached. */
  readonly mayRefuse: boolean
}

export interface MeasuredFile {
  readonly file: string
  readonly transaction: boolean
  readonly effects: readonly StatementEffect[]
  /** Sizes of the locked tables that the sizes file lists. */
  readonly sizes: Readonly<Record<string, Size>>
}

export interface Size {
  readonly rows: number
  readonly bytes: number
}

export interface LintReport {
  readonly findings: readonly LintFinding[]
  readonly suppressions: readonly Suppression[]
  /** Advice of Supabase's advisors that does not apply to base. */
  readonly advice: readonly Advice[]
}

export interface Suppression {
  readonly file: string
  readonly line: number
  readonly rule: string
  readonly reason: string
}

export interface RollbackReport {
  /** Differences from base after up and down. */
  readonly afterDown: readonly string[]
  /** Differences from head after up, down and up. */
  readonly afterUp: readonly string[]
  /** Data that a rollback loses or does not restore. */
  readonly losses: readonly string[]
}
