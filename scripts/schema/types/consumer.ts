import type { Declarations } from './declarations.ts'

/** An operation of a consumer on a type, which can stop compiling. */
export type Operation = 'read' | 'read null' | 'insert' | 'insert null' | 'leave out' | 'update' | 'update null'

/** One line of consumer code that tests one operation. */
export interface Probe {
  readonly type: string
  /** The column, if the type is an interface. */
  readonly member: string | null
  readonly operation: Operation
  readonly code: string
}

/**
 * A consumer, with the types of base that it compares with. The first line of `consumer.ts` is its imports; each
 * following line is a probe.
 */
export interface Consumer {
  readonly files: ReadonlyMap<string, string>
  readonly probes: readonly Probe[]
}

/**
 * Writes the code of a service that uses the types of base: it reads, inserts and updates every column, and lists the
 * values of every enum. It never builds a whole row or lists all tables, so a new column or table does not break it.
 *
 * `base.ts` contains the types of base. `base-tables.ts` contains the tables of base, but with enums and other types of
 * head: a changed enum is then reported once, not again for every column of that type.
 */
export function writeConsumer(source: string, base: Declarations, head: Declarations): Consumer {
  const keys = new Map([...(base.get('DB')?.members ?? [])].map(([key, type]) => [type, key]))
  const common = [...base].filter(([type, { kind }]) => head.get(type)?.kind === kind && type !== 'DB')
  // A generic type such as `Generated` is part of many columns and has no probes of its own.
  const isGenericChanged = common.some(([type, { kind, text }]) => kind === 'generic' && text !== head.get(type)!.text)
  const probes = common.flatMap(([type, { kind, text, members }]) => {
    const inHead = head.get(type)!
    if (kind === 'enum' || kind === 'alias') {
      return text === inHead.text ? [] : probesOf(type, null, aliased(`Base.${type}`), aliased(`Head.${type}`))
    }
    const key = keys.get(type)
    if (key === undefined || !head.get('DB')?.members.has(key)) return []
    return [...new Set([...members.keys(), ...inHead.members.keys()])]
      .filter((member) => isGenericChanged || members.get(member) !== inHead.members.get(member))
      .flatMap((member) => probesOf(type, member, column(`BaseTables.${type}`, member), exported(key, member)))
  })
  const shared = common.filter(([, { kind }]) => kind === 'enum' || kind === 'alias')
  return {
    files: new Map([
      ['base.ts', source],
      ['base-tables.ts', withImported(source, shared.map(([type, { start, end }]) => ({ type, start, end })))],
      ['consumer.ts', [imports, ...probes.map(({ code }) => code), ''].join('\n')],
    ]),
    probes,
  }
}

const imports = [
  `import type { Insertable, Selectable, Updateable } from 'kysely'`,
  `import type * as Base from './base.ts'`,
  `import type * as BaseTables from './base-tables.ts'`,
  `import type * as Head from './db.ts'`,
  `import type { New, Patch, Row } from './index.ts'`,
].join('; ')

interface Range {
  readonly type: string
  readonly start: number
  readonly end: number
}

/** Replaces the declarations at these ranges by imports from `db.ts`. */
function withImported(source: string, ranges: readonly Range[]): string {
  const rest = ranges.toReversed().reduce((text, { start, end }) => text.slice(0, start) + text.slice(end), source)
  return `import type { ${ranges.map(({ type }) => type).join(', ')} } from './db.ts'\n${rest}`
}

// --- Probes

/** The types of one column. */
interface Column {
  readonly read: string
  readonly insert: string
  readonly update: string
  /** The type of a row to insert, reduced to this column. */
  readonly insertOnly: string
}

function columnOf([row, fresh, patch]: readonly [string, string, string], member: string): Column {
  const key = JSON.stringify(member)
  return {
    read: `${row}[${key}]`,
    insert: `${fresh}[${key}]`,
    update: `${patch}[${key}]`,
    insertOnly: `Pick<${fresh}, Extract<keyof ${fresh}, ${key}>>`,
  }
}

const column = (type: string, member: string): Column =>
  columnOf([`Selectable<${type}>`, `Insertable<${type}>`, `Updateable<${type}>`], member)

/** The column as the package's helper types define it. */
const exported = (key: string, member: string): Column =>
  columnOf([`Row<'${key}'>`, `New<'${key}'>`, `Patch<'${key}'>`], member)

const aliased = (type: string): Column => column(`{ value: ${type} }`, 'value')

function probesOf(type: string, member: string | null, before: Column, after: Column): Probe[] {
  const nonNull = (type: string): string => `Exclude<${type}, null | undefined>`
  const nullOf = (type: string): string => `Extract<${type}, null>`
  const assign = (to: string, from: string): string => `{ const it: ${to} = null! as ${from} }`
  const codes: Readonly<Record<Operation, string>> = {
    'read': assign(nonNull(before.read), nonNull(after.read)),
    'read null': assign(before.read, nullOf(after.read)),
    'insert': assign(after.insert, nonNull(before.insert)),
    'insert null': assign(after.insert, nullOf(before.insert)),
    'leave out': `{ const it: ${after.insertOnly} = {} }`,
    'update': assign(after.update, nonNull(before.update)),
    'update null': assign(after.update, nullOf(before.update)),
  }
  return Object.entries(codes).map(([operation, code]) => ({ type, member, operation: operation as Operation, code }))
}
