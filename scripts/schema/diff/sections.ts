import { list, table, type Section } from './blocks.ts'
import { accessSection } from './section-access.ts'
import { changesSection } from './section-changes.ts'
import { locksSection } from './section-locks.ts'
import type { Report } from './report.ts'
import type { Severity } from '../catalog/model.ts'
import { nameOf } from './verdict.ts'
import { plural } from '../../core/text.ts'

export const verdicts: Readonly<Record<Severity, string>> = {
  additive: 'additive',
  care: 'needs care',
  breaking: 'breaking',
  destructive: 'destructive',
}

export function headline({ verdict, changes, remaining, files }: Report): string {
  const isNothing = changes.length + remaining.length + (files?.added.length ?? 0) === 0
  return isNothing && verdict === 'additive' ? 'nothing changes' : verdicts[verdict]
}

/** All of a report but the verdict, in the order in which it is read. */
export const sectionsOf = (report: Report): Section[] => [
  filesSection(report),
  changesSection(report),
  accessSection(report),
  locksSection(report),
  lintSection(report),
  typesSection(report),
  rollbackSection(report),
  { title: "The DBA's notes", summary: plural(report.notes.length, 'note'), blocks: list(report.notes) },
  {
    title: 'Picture',
    summary: report.drawing === null ? 'no table is touched' : 'tables touched and their neighbours',
    blocks: report.drawing === null ? [] : [{ kind: 'drawing', drawing: report.drawing }],
  },
]

const ofDatabases = 'not told of databases: compare two commits, or run `make preflight`'

function filesSection({ files }: Report): Section {
  const title = 'Files'
  if (files === null) return { title, summary: ofDatabases, blocks: [] }
  const open = files.added.filter(({ isCommitted }) => !isCommitted).length
  return {
    title,
    summary: `${plural(files.added.length, 'new migration')}${open > 0 ? `, ${open} of them not committed` : ''}`,
    blocks: [
      ...table(
        ['file', 'runs', 'down', 'committed'],
        files.added.map(({ file, transaction, isCommitted, down }) => [
          file,
          transaction ? 'in a transaction' : 'outside a transaction',
          down.outcome === 'undoes' && down.mayRefuse ? 'undoes, or refuses' : down.outcome,
          isCommitted ? 'yes' : 'no',
        ]),
      ),
      ...list(files.ahead, 'Of base, not in the branch yet; head is what merging makes'),
    ],
  }
}

function lintSection({ lint }: Report): Section {
  const title = 'Lint'
  if (lint === null) return { title, summary: ofDatabases, blocks: [] }
  const { findings, suppressions, advice } = lint
  return {
    title,
    summary: [
      plural(findings.length, 'finding'),
      plural(suppressions.length, 'suppression'),
      `${advice.length} new of Supabase's advisors`,
    ].join(', '),
    blocks: [
      ...list(
        findings.map(({ file, line, rule, message, help }) => ({
          text: `${file}:${line} ${rule}: ${message}`,
          details: help === undefined ? [] : [`rather: ${help}`],
        })),
      ),
      ...list(
        advice.map(({ level, name, message }) => `${level} ${name}: ${message}`),
        "Supabase's advisors, new here",
      ),
      ...list(
        suppressions.map(({ file, line, rule, reason }) => `${file}:${line} ${rule}: ${reason}`),
        'Suppressed, and why',
      ),
    ],
  }
}

function typesSection({ types: { changes, bump } }: Report): Section {
  return {
    title: 'Types',
    summary: bump === 'none' ? 'no exported type changes' : `${plural(changes.length, 'change')}: a ${bump} release`,
    blocks: table(
      ['type', 'from', 'to', 'stops compiling'],
      changes.map(({ type, member, from, to, breaks }) => {
        return [nameOf(type, member), from ?? '–', to ?? '–', breaks ?? 'nobody']
      }),
    ),
  }
}

function rollbackSection({ rollback, files }: Report): Section {
  const title = 'Rollback'
  if (rollback === null || files === null) return { title, summary: ofDatabases, blocks: [] }
  const refusing = files.added.filter(({ down }) => down.why !== null)
  const { afterDown, afterUp, losses } = rollback
  const isProven = afterDown.length === 0 && afterUp.length === 0
  const summary =
    files.added.length === 0
      ? 'nothing to roll back'
      : refusing.length > 0
        ? 'irreversible'
        : isProven
          ? 'up, down and up again give the same schema'
          : 'up, down and up again do not give the same schema'
  return {
    title,
    summary: losses.length > 0 ? `${summary}; data is lost` : summary,
    blocks: [
      ...list(refusing.map(({ file, down }) => `${file} ${down.outcome}: ${down.why}`)),
      ...list(afterDown, 'Different from base after the rollback'),
      ...list(afterUp, 'Different from head when applied again'),
      ...list(losses, 'Lost by a rollback'),
    ],
  }
}
