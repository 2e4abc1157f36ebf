import { diffLines } from 'diff'
import type { Change, FactChange } from '../catalog/model.ts'
import { list, type Block, type Item, type Section } from './blocks.ts'
import type { Report } from './report.ts'
import { plural } from '../../core/text.ts'

export function changesSection({ changes, remaining }: Report): Section {
  const told = changes.filter((change) => change.section === 'structure' && isTold(change))
  const groups = groupBy(told)
  return {
    title: 'What changes',
    summary: [
      plural(told.length, 'change'),
      ...(remaining.length > 0 ? [`${plural(remaining.length, 'further difference')} of the dumps`] : []),
    ].join(', '),
    blocks: [
      ...[...groups].flatMap(([name, group]) => [...list(group.map(describe), name), ...group.flatMap(texts)]),
      ...remaining.flatMap(({ entry, lines }): Block[] => [
        ...list([`${entry}, by its dump`]),
        { kind: 'code', language: 'diff', text: lines.join('\n') },
      ]),
    ],
  }
}

const isText = ({ from, to }: FactChange): boolean =>
  from !== null && to !== null && `${from}${to}`.trim().includes('\n')

/** What takes more than a line is compared line by line. */
function texts({ kind, object, action, facts }: Change): Block[] {
  if (action === 'added' || action === 'removed') return []
  return facts.filter(isText).map(({ fact, from, to }) => {
    const parts = diffLines(from!, to!).map(({ added, removed, value }) =>
      value.replace(/\n$/, '').replace(/^/gm, added ? '+' : removed ? '-' : ' '),
    )
    const near = around(parts.join('\n').split('\n'))
    return { kind: 'code', language: 'diff', text: [`@@ ${kind} ${object}: ${fact} @@`, ...near].join('\n') }
  })
}

/** With two lines of what stayed. */
const around = (lines: readonly string[]): string[] =>
  lines.filter((_, at) => lines.slice(Math.max(0, at - 2), at + 3).some((line) => !line.startsWith(' ')))

/** What comes or goes with another is part of it, unless there is something to it. */
export const isTold = ({ partOf, severity, kind }: Change): boolean =>
  partOf === null || severity !== 'additive' || kind === 'column'

function groupBy(changes: readonly Change[]): Map<string, Change[]> {
  const groups = new Map<string, Change[]>()
  for (const change of changes) {
    const name = change.table ?? 'Elsewhere'
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
  const said = isWhole ? essence(kind, facts) : ''
  return {
    text: [
      `${signs[action]} ${isRecreated ? 'made anew: ' : ''}${kind} ${name}`,
      was === null ? '' : `, was ${was}`,
      said === '' ? '' : `: ${said}`,
    ].join(''),
    details: [
      ...(isWhole ? [] : facts.filter((fact) => fact.fact !== 'name' && !isText(fact)).map(tellFact)),
      ...dependents.map((one) => `followed by ${one.kind} ${one.object}`),
      ...(severity === 'additive' ? [] : reasons.map((reason) => `${severity}: ${reason}`)),
    ],
  }
}

const tellFact = ({ fact, from, to }: FactChange): string => `${fact}: ${short(from)} → ${short(to)}`

/** Of what came or went, what one wants to know of it; the rest is in the file. */
const essential: Readonly<Record<string, readonly string[]>> = {
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

const unsaid: Readonly<Record<string, string>> = {
  nullable: 'yes',
  validated: 'yes',
  permissive: 'yes',
  security: 'invoker',
}

function essence(kind: string, facts: readonly FactChange[]): string {
  return (essential[kind] ?? [])
    .flatMap((name) => {
      const fact = facts.find((one) => one.fact === name)
      const text = fact?.to ?? fact?.from
      if (text === undefined || text === null || unsaid[name] === text) return []
      if (name === 'nullable') return ['not null']
      if (name === 'unique') return ['unique']
      return [/^(type|definition|command)$/.test(name) ? short(text) : `${name} ${short(text)}`]
    })
    .join(', ')
}

const longest = 300

export function short(text: string | null): string {
  if (text === null) return '–'
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest)}…` : line
}
