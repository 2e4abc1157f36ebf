import { list, table, type Section } from './blocks.ts'
import { accessSection } from './section-access.ts'
import { changesSection } from './section-changes.ts'
import { locksSection } from './section-locks.ts'
import type { Report } from './report.ts'
import { nameOf, verdictLabels } from './verdict.ts'
import { plural } from '../../core/text.ts'

export function headline({ verdict, changes, remaining, files }: Report): string {
  const isEmpty = changes.length + remaining.length + (files?.added.length ?? 0) === 0
  return isEmpty && verdict === 'additive' ? 'no changes' : verdictLabels[verdict]
}

/** All sections of a report, in display order. The verdict and its reasons are shown above them. */
export const sectionsOf = (report: Report): Section[] => [
  filesSection(report),
  changesSection(report),
  accessSection(report),
  locksSection(report),
  lintSection(report),
  typesSection(report),
  rollbackSection(report),
  { title: 'Deployment notes', summary: plural(report.notes.length, 'note'), blocks: list(report.notes) },
  {
    title: 'Diagram',
    summary: report.drawing === null ? 'no table changed' : 'the changed tables and their neighbours',
    blocks: report.drawing === null ? [] : [{ kind: 'drawing', drawing: report.drawing }],
  },
]

const needsCommits = 'not available for a live database: compare two commits, or run `make preflight`'

function filesSection({ files }: Report): Section {
  const title = 'Files'
  if (files === null) return { title, summary: needsCommits, blocks: [] }
  const uncommitted = files.added.filter(({ isCommitted }) => !isCommitted).length
  return {
    title,
    summary: `${plural(files.added.length, 'new migration')}${uncommitted > 0 ? `, ${uncommitted} of them not committed` : ''}`,
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
      ...list(files.ahead, 'In base and not in the branch yet; head includes them, as after a merge'),
    ],
  }
}

function lintSection({ lint }: Report): Section {
  const title = 'Lint'
  if (lint === null) return { title, summary: needsCommits, blocks: [] }
  const { findings, suppressions, advice } = lint
  return {
    title,
    summary: [
      plural(findings.length, 'finding'),
      plural(suppressions.length, 'suppression'),
      `${plural(advice.length, 'new finding')} of Supabase's advisors`,
    ].join(', '),
    blocks: [
      ...list(
        findings.map(({ file, line, rule, message, help }) => ({
          text: `${file}:${line} ${rule}: ${message}`,
          details: help === undefined ? [] : [`alternative: ${help}`],
        })),
      ),
      ...list(
        advice.map(({ level, name, message }) => `${level} ${name}: ${message}`),
        "New findings of Supabase's advisors",
      ),
      ...list(
        suppressions.map(({ file, line, rule, reason }) => `${file}:${line} ${rule}: ${reason}`),
        'Suppressed findings, with the reason',
      ),
    ],
  }
}

function typesSection({ types: { changes, bump } }: Report): Section {
  return {
    title: 'Types',
    summary: bump === 'none' ? 'no exported type changes' : `${plural(changes.length, 'change')}; needs a ${bump} release`,
    blocks: table(
      ['type', 'from', 'to', 'code that stops compiling'],
      changes.map(({ type, member, from, to, breaks }) => {
        return [nameOf(type, member), from ?? '–', to ?? '–', breaks ?? '–']
      }),
    ),
  }
}

function rollbackSection({ rollback, files }: Report): Section {
  const title = 'Rollback'
  if (rollback === null || files === null) return { title, summary: needsCommits, blocks: [] }
  const refusing = files.added.filter(({ down }) => down.why !== null)
  const { afterDown, afterUp, losses } = rollback
  const isProven = afterDown.length === 0 && afterUp.length === 0
  const summary =
    files.added.length === 0
      ? 'no migrations to roll back'
      : refusing.length > 0
        ? 'irreversible'
        : isProven
          ? 'up, down and up again gives the same schema'
          : 'up, down and up again does not give the same schema'
  return {
    title,
    summary: losses.length > 0 ? `${summary}; a rollback loses data` : summary,
    blocks: [
      ...list(refusing.map(({ file, down }) => `${file} ${down.outcome}: ${down.why}`)),
      ...list(afterDown, 'Differences from base after the rollback'),
      ...list(afterUp, 'Differences from head after applying again'),
      ...list(losses, 'Data that a rollback loses'),
    ],
  }
}
