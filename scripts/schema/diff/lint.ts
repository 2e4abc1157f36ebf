import { basename } from 'node:path'
import type { Migration } from '../../migrate/migrations.ts'
import { lintMigrations } from '../lint/squawk.ts'
import { withFiles } from './git.ts'
import { recipes } from './recipes.ts'
import type { LintReport, Suppression } from './report.ts'

/** Runs squawk over these migrations. Returns its findings, and the suppressions with their reasons. */
export async function lint(migrations: readonly Migration[]): Promise<Omit<LintReport, 'advice'>> {
  const files = new Map(migrations.map(({ file, source }) => [basename(file), source]))
  const findings = await withFiles(files, lintMigrations)
  return {
    findings: findings.map((finding) => {
      const help = finding.help ?? recipes[finding.rule]
      return { ...finding, file: basename(finding.file), ...(help === undefined ? {} : { help }) }
    }),
    suppressions: [...files].flatMap(([file, source]) => readSuppressions(file, source)),
  }
}

function readSuppressions(file: string, source: string): Suppression[] {
  return source.split('\n').flatMap((text, at) => {
    const [, rule, reason] = /^\s*--\s*squawk-ignore\s+([a-z-]+):\s*(\S.*)$/.exec(text) ?? []
    return rule === undefined ? [] : [{ file, line: at + 1, rule, reason: reason!.trim() }]
  })
}
