import type { Declarations } from './declarations.ts'

/** What a consumer does with a type, and may not be able to any more. */
export type Use = 'read' | 'read null' | 'insert' | 'insert null' | 'leave out' | 'update' | 'update null'

/** A line of a consumer's code. */
export interface Probe {
  readonly type: string
  /** Of an interface. */
  readonly member: string | null
  readonly use: Use
  readonly code: string
}

/** A consumer, and base as it was for it to compare with. The first line of the consumer is no probe. */
export interface Consumer {
  readonly files: ReadonlyMap<string, string>
  readonly probes: readonly Probe[]
}

/**
 * What a service written for base does: reads, inserts and updates every column, and lists the values of every enum.
 * None makes a whole row or lists all tables, so that a new column or table stops nobody.
 *
 * `own.ts` is base as it was. `was.ts` has its tables, made of the other types as they are now: that one of these
 * changed is told once, not of every column that has it.
 */
export function writeConsumer(source: string, base: Declarations, head: Declarations): Consumer {
  const keys = new Map([...(base.get('DB')?.members ?? [])].map(([key, type]) => [type, key]))
  const stayed = [...base].filter(([type, { kind }]) => head.get(type)?.kind === kind && type !== 'DB')
  // Such as `Generated`: in the text of every column, and not compared by itself.
  const isOtherwiseMade = stayed.some(([type, { kind, text }]) => kind === 'generic' && text !== head.get(type)!.text)
  const probes = stayed.flatMap(([type, { kind, text, members }]) => {
    const now = head.get(type)!
    if (kind === 'enum' || kind === 'alias') {
      return text === now.text ? [] : probesOf(type, null, aliased(`Own.${type}`), aliased(`Now.${type}`))
    }
    const key = keys.get(type)
    if (key === undefined || !head.get('DB')?.members.has(key)) return []
    return [...new Set([...members.keys(), ...now.members.keys()])]
      .filter((member) => isOtherwiseMade || members.get(member) !== now.members.get(member))
      .flatMap((member) => probesOf(type, member, column(`Was.${type}`, member), exported(key, member)))
  })
  const shared = stayed.filter(([, { kind }]) => kind === 'enum' || kind === 'alias')
  return {
    files: new Map([
      ['own.ts', source],
      ['was.ts', withImported(source, shared.map(([type, { start, end }]) => ({ type, start, end })))],
      ['consumer.ts', [imports, ...probes.map(({ code }) => code), ''].join('\n')],
    ]),
    probes,
  }
}

const imports = [
  `import type { Insertable, Selectable, Updateable } from 'kysely'`,
  ...['Own', 'Was'].map((name) => `import type * as ${name} from './${name.toLowerCase()}.ts'`),
  `import type * as Now from './db.ts'`,
  `import type { New, Patch, Row } from './index.ts'`,
].join('; ')

interface Place {
  readonly type: string
  readonly start: number
  readonly end: number
}

function withImported(source: string, places: readonly Place[]): string {
  const rest = places.toReversed().reduce((text, { start, end }) => text.slice(0, start) + text.slice(end), source)
  return `import type { ${places.map(({ type }) => type).join(', ')} } from './db.ts'\n${rest}`
}

// --- Probes

/** The types of one column, and of a row to insert. */
interface Column {
  readonly read: string
  readonly insert: string
  readonly update: string
  /** What an insert has to do with it. */
  readonly part: string
}

function columnOf([row, fresh, patch]: readonly [string, string, string], member: string): Column {
  const key = JSON.stringify(member)
  return {
    read: `${row}[${key}]`,
    insert: `${fresh}[${key}]`,
    update: `${patch}[${key}]`,
    part: `Pick<${fresh}, Extract<keyof ${fresh}, ${key}>>`,
  }
}

const column = (type: string, member: string): Column =>
  columnOf([`Selectable<${type}>`, `Insertable<${type}>`, `Updateable<${type}>`], member)

/** As the package has it. */
const exported = (key: string, member: string): Column =>
  columnOf([`Row<'${key}'>`, `New<'${key}'>`, `Patch<'${key}'>`], member)

const aliased = (type: string): Column => column(`{ value: ${type} }`, 'value')

function probesOf(type: string, member: string | null, was: Column, is: Column): Probe[] {
  const value = (of: string): string => `Exclude<${of}, null | undefined>`
  const none = (of: string): string => `Extract<${of}, null>`
  const takes = (to: string, from: string): string => `{ const it: ${to} = null! as ${from} }`
  const codes: Readonly<Record<Use, string>> = {
    'read': takes(value(was.read), value(is.read)),
    'read null': takes(was.read, none(is.read)),
    'insert': takes(is.insert, value(was.insert)),
    'insert null': takes(is.insert, none(was.insert)),
    'leave out': `{ const it: ${is.part} = {} }`,
    'update': takes(is.update, value(was.update)),
    'update null': takes(is.update, none(was.update)),
  }
  return Object.entries(codes).map(([use, code]) => ({ type, member, use: use as Use, code }))
}
