import { strength, type StatementEffect } from '../measure/measure.ts'
import { severities, worst, type Severity } from '../catalog/model.ts'
import { measuredRecipes } from './recipes.ts'
import type { Findings, Reason, Report } from './report.ts'

/** The verdicts as shown to people. */
export const verdictLabels: Readonly<Record<Severity, string>> = {
  additive: 'additive',
  care: 'needs care',
  breaking: 'breaking',
  destructive: 'destructive',
}

/** The reasons for a verdict more severe than additive, the most severe first. */
export function reasonsFor(report: Findings): Reason[] {
  const reasons: Reason[] = [
    ...report.changes.flatMap(({ severity, kind, object, reasons }) =>
      severity === 'additive' ? [] : [{ severity, of: `${kind} ${object}`, why: reasons.join('; ') }],
    ),
    ...report.remaining.map(({ entry }) => care(entry, 'its dump differs, and no rule judges the difference')),
    ...(report.locks ?? []).flatMap(({ file, effects }) =>
      hazards(effects).flatMap((found, at) => found.map(({ what }) => care(`${file}:${effects[at]!.line}`, what))),
    ),
    ...(report.lint?.findings ?? []).map((finding) =>
      care(`${finding.file}:${finding.line}`, `${finding.rule}: ${finding.message}`),
    ),
    ...(report.lint?.advice ?? []).map(({ name, object, message }) => care(object, `${name}: ${message}`)),
    ...report.types.changes.flatMap(({ type, member, breaks }): Reason[] =>
      breaks === null ? [] : [{ severity: 'breaking', of: nameOf(type, member), why: `stops compiling: ${breaks}` }],
    ),
    ...(report.files?.added ?? []).flatMap(({ file, down }) =>
      down.why === null ? [] : [care(file, `it cannot be rolled back: ${down.why}`)],
    ),
    ...(report.rollback?.afterDown ?? []).map((what) => care('rollback', `differs from base: ${what}`)),
    ...(report.rollback?.afterUp ?? []).map((what) => care('rollback', `differs from head after applying again: ${what}`)),
  ]
  return severities.toReversed().flatMap((severity) => reasons.filter((reason) => reason.severity === severity))
}

export const verdictOf = (reasons: readonly Reason[]): Severity => worst(reasons.map(({ severity }) => severity))

export const nameOf = (type: string, member: string | null): string => (member === null ? type : `${type}.${member}`)

const care = (of: string, why: string): Reason => ({ severity: 'care', of, why })

/** An operation whose time grows with the table while other sessions wait for its lock. */
export interface Hazard {
  readonly what: string
  /** How to do the same without blocking services. */
  readonly recipe: string
}

/** The hazards of each statement, in the order of the statements. */
export function hazards(effects: readonly StatementEffect[]): Hazard[][] {
  // Tables locked so far: a lock lasts until the end of the transaction.
  const locked = new Set<string>()
  return effects.map(({ locks, rewrites, scans, indexes, writes, isConcurrent }) => {
    for (const { table, mode } of locks) if (!isConcurrent && strength(mode) >= strength('SHARE')) locked.add(table)
    const isBuilt = (table: string) => indexes.some((index) => index.table === table)
    const { rewrite, index, scan, write } = measuredRecipes
    return [
      ...rewrites.map((table) => ({
        what: `rewrites ${table} while reads and writes wait`,
        recipe: rewrite,
      })),
      ...indexes
        .filter(({ table }) => locked.has(table) && !rewrites.includes(table))
        .map(({ name, table }) => ({ what: `builds ${name} while writes to ${table} wait`, recipe: index })),
      ...scans
        .filter((table) => locked.has(table) && !rewrites.includes(table) && !isBuilt(table))
        .map((table) => ({ what: `scans ${table} while other sessions wait for its lock`, recipe: scan })),
      ...writes.map((table) => ({ what: `changes rows of ${table} in one transaction`, recipe: write })),
    ]
  })
}

/** 1 when the verdict is `limit` or more severe, else 0. */
export const exitCode = ({ verdict }: Pick<Report, 'verdict'>, limit: Severity | undefined): number =>
  limit !== undefined && severities.indexOf(verdict) >= severities.indexOf(limit) ? 1 : 0
