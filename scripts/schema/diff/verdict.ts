import { strength, type StatementEffect } from '../measure/measure.ts'
import { severities, worst, type Severity } from '../catalog/model.ts'
import { measuredRecipes } from './recipes.ts'
import type { Reason, Report, Seen } from './report.ts'

/** All that speaks for a verdict worse than additive, the worst first. */
export function judgeReport(report: Seen): Reason[] {
  const reasons: Reason[] = [
    ...report.changes.flatMap(({ severity, kind, object, reasons }) =>
      severity === 'additive' ? [] : [{ severity, of: `${kind} ${object}`, why: reasons.join('; ') }],
    ),
    ...report.remaining.map(({ entry }) => care(entry, 'it is different, and nothing is known about what that means')),
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
    ...(report.rollback?.afterDown ?? []).map((what) => care('rollback', `not as it was: ${what}`)),
    ...(report.rollback?.afterUp ?? []).map((what) => care('rollback', `not as it was when applied again: ${what}`)),
  ]
  return severities.toReversed().flatMap((severity) => reasons.filter((reason) => reason.severity === severity))
}

export const verdictOf = (reasons: readonly Reason[]): Severity => worst(reasons.map(({ severity }) => severity))

export const nameOf = (type: string, member: string | null): string => (member === null ? type : `${type}.${member}`)

const care = (of: string, why: string): Reason => ({ severity: 'care', of, why })

/** What takes time by the size of a table, while somebody waits. */
export interface Hazard {
  readonly what: string
  /** How the same is done while services run. */
  readonly recipe: string
}

/** By statement. */
export function hazards(effects: readonly StatementEffect[]): Hazard[][] {
  // A lock lasts to the end of the transaction.
  const held = new Set<string>()
  return effects.map(({ locks, rewrites, scans, indexes, writes, isConcurrent }) => {
    for (const { table, mode } of locks) if (!isConcurrent && strength(mode) >= strength('SHARE')) held.add(table)
    const isBuilt = (table: string) => indexes.some((index) => index.table === table)
    const { rewrite, index, scan, write } = measuredRecipes
    return [
      ...rewrites.map((table) => ({
        what: `rewrites ${table}, and nobody reads or writes it meanwhile`,
        recipe: rewrite,
      })),
      ...indexes
        .filter(({ table }) => held.has(table) && !rewrites.includes(table))
        .map(({ name, table }) => ({ what: `builds ${name}, and nobody writes to ${table} meanwhile`, recipe: index })),
      ...scans
        .filter((table) => held.has(table) && !rewrites.includes(table) && !isBuilt(table))
        .map((table) => ({ what: `reads all of ${table} while others wait for it`, recipe: scan })),
      ...writes.map((table) => ({ what: `changes rows of ${table} in one transaction`, recipe: write })),
    ]
  })
}

/** Of a report, where `limit` or worse is to stop a pipeline. */
export const exitCode = ({ verdict }: Pick<Report, 'verdict'>, limit: Severity | undefined): number =>
  limit !== undefined && severities.indexOf(verdict) >= severities.indexOf(limit) ? 1 : 0
