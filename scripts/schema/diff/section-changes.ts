import { diffLines } from 'diff'
import type { Change, FactChange } from '../catalog/model.ts'
import { list, type Block, type Item, type Section } from './blocks.ts'
import type { Report } from './report.ts'
import { verdictLabels } from './verdict.ts'
import { plural } from '../../core/text.ts'

export function changesSection({ changes, remaining }: Report): Section {
  const reported = changes.filter((change) => change.section === 'structure' && isReported(change))
  const groups = groupByTable(reported)
  return {
    title: 'Changes',
    summary: [
      plural(reported.length, 'change'),
      ...(remaining.length > 0 ? [`${plural(remaining.length, 'further difference')} between the dumps`] : []),
    ].join(', '),
    blocks: [
      ...[...groups].flatMap(([name, group]) => [...list(group.map(describe), name), ...group.flatMap(textDiffs)]),
      ...remaining.flatMap(({ entry, lines }): Block[] => [
        ...list([`${entry}: found only by comparing the dumps`]),
        { kind: 'code', language: 'diff', text: lines.join('\n') },
      ]),
    ],
  }
}

const isMultiline = ({ from, to }: FactChange): boolean =>
  from !== null && to !== null && `${from}${to}`.trim().includes('\n')

/** Values of several lines are compared line by line. */
function textDiffs({ kind, object, action, facts }: Change): Block[] {
  if (action === 'added' || action === 'removed') return []
  return facts.filter(isMultiline).map(({ fact, from, to }) => {
    const parts = diffLines(from!, to!).map(({ added, removed, value }) =>
      value.replace(/\n$/, '').replace(/^/gm, added ? '+' : removed ? '-' : ' '),
    )
    const context = withContext(parts.join('\n').split('\n'))
    return { kind: 'code', language: 'diff', text: [`@@ ${kind} ${object}: ${fact} @@`, ...context].join('\n') }
  })
}

/** The changed lines, each with two lines of context. */
const withContext = (lines: readonly string[]): string[] =>
  lines.filter((_, at) => lines.slice(Math.max(0, at - 2), at + 3).some((line) => !line.startsWith(' ')))

/**
 * Whether a change has an entry of its own. A part that is added or removed with its object has none, unless it is a
 * column or more than additive.
 */
export const isReported = ({ partOf, severity, kind }: Change): boolean =>
  partOf === null || severity !== 'additive' || kind === 'column'

function groupByTable(changes: readonly Change[]): Map<string, Change[]> {
  const groups = new Map<string, Change[]>()
  for (const change of changes) {
    const name = change.table ?? 'Other objects'
    const group = groups.get(name)
    if (group) group.push(change)
    else groups.set(name, [change])
  }
  return groups
}

const signs = { added: '+', removed: '-', renamed: '→', changed: '~' } as const

export function describe(change: Change): Item {
  const { kind, action, object, was, table, facts, severity, reasons, isRecreated, dependents } = change
  const name = kind === 'column' && table !== null ? object.slice(table.length + 1) : object.replace(` on ${table}`, '')
  const isWhole = (action === 'added' || action === 'removed') && !/^(grant|default privileges|role)$/.test(kind)
  const summary = isWhole ? summarize(kind, facts) : ''
  return {
    text: [
      `${signs[action]} ${isRecreated ? 'recreated: ' : ''}${kind} ${name}`,
      was === null ? '' : `, was ${was}`,
      summary === '' ? '' : `: ${summary}`,
    ].join(''),
    details: [
      ...(isWhole ? [] : facts.filter((fact) => fact.fact !== 'name' && !isMultiline(fact)).map(formatFact)),
      ...dependents.map((one) => `the definition of ${one.kind} ${one.object} now uses the new name`),
      ...(severity === 'additive' ? [] : reasons.map((reason) => `${verdictLabels[severity]}: ${reason}`)),
    ],
  }
}

const formatFact = ({ fact, from, to }: FactChange): string => `${fact}: ${short(from)} → ${short(to)}`

/** The facts shown for an added or removed object; the migration has the others. */
const shownFacts: Readonly<Record<string, readonly string[]>> = {
  'column': ['type', 'nullable', 'default', 'generated', 'identity'],
  'constraint': ['definition', 'deferrable', 'validated'],
  'index': ['definition', 'predicate', 'unique'],
  'trigger': ['definition'],
  'policy': ['command', 'roles', 'permissive', 'using', 'check'],
  'function': ['returns', 'security'],
  'procedure': ['security'],
  'domain': ['type', 'nullable', 'default'],
  'view': ['security_invoker'],
}

/** Values that are the default, and therefore not shown. */
const defaultValues: Readonly<Record<string, string>> = {
  nullable: 'yes',
  validated: 'yes',
  permissive: 'yes',
  security: 'invoker',
}

function summarize(kind: string, facts: readonly FactChange[]): string {
  return (shownFacts[kind] ?? [])
    .flatMap((name) => {
      const fact = facts.find((one) => one.fact === name)
      const text = fact?.to ?? fact?.from
      if (text === undefined || text === null || defaultValues[name] === text) return []
      if (name === 'nullable') return ['not null']
      if (name === 'unique') return ['unique']
      return [/^(type|definition|command)$/.test(name) ? short(text) : `${name} ${short(text)}`]
    })
    .join(', ')
}

const maxLength = 300

export function short(text: string | null): string {
  if (text === null) return '–'
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line
}
