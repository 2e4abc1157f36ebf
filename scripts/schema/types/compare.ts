import { isDeepStrictEqual } from 'node:util'
import { compileConsumers, type Compiled } from './compile.ts'
import { writeConsumer, type Consumer, type Operation } from './consumer.ts'
import { readDeclarations, type Declarations } from './declarations.ts'

export interface TypesReport {
  readonly changes: readonly TypeChange[]
  /** The release that the changes of the types require. */
  readonly bump: 'none' | 'minor' | 'major'
}

export interface TypeChange {
  /** Name of the type: `Apps`, `GenerationStatus`. */
  readonly type: string
  /** The column, if the type is an interface. */
  readonly member: string | null
  readonly from: string | null
  readonly to: string | null
  /** The consumer code that stops compiling, or `null` if none does. */
  readonly breaks: string | null
}

/** The contents of the package's folder `types/`. */
export interface Types {
  /** The file that kysely-codegen generates. */
  readonly db: string
  /** The files written by hand, including `index.ts`: name → text. */
  readonly written: ReadonlyMap<string, string>
}

/**
 * Compares the exported types, and finds the consumer code that compiles with the types of base and not with those of
 * head. For types that are written by hand only their names are compared.
 */
export function compareTypes(base: Types, head: Types): TypesReport {
  const [baseSource, headSource] = [withoutComments(base.db), withoutComments(head.db)]
  const isSame = baseSource === headSource && isDeepStrictEqual(base.written, head.written)
  if (isSame) return { changes: [], bump: 'none' }
  const [declaredBefore, declaredAfter] = [readDeclarations(baseSource), readDeclarations(headSource)]
  const consumer = writeConsumer(baseSource, declaredBefore, declaredAfter)
  const compiled = compileConsumers({
    base: new Map([...base.written, ['db.ts', baseSource], ...consumer.files]),
    head: new Map([...head.written, ['db.ts', headSource], ...consumer.files]),
  })
  const [before, after] = [compiled.get('base')!, compiled.get('head')!]
  const removed = new Set([...before.exported].filter((name) => !after.exported.has(name)))
  const failed = failedOperations(consumer, before, after)
  const names = [...new Set([...declaredBefore.keys(), ...declaredAfter.keys(), ...removed])].sort()
  const changes = names.flatMap((type) => compareType(type, { declaredBefore, declaredAfter, failed, removed }))
  const isMajor = changes.some(({ breaks }) => breaks !== null)
  return { changes, bump: isMajor ? 'major' : changes.length > 0 ? 'minor' : 'none' }
}

/** Comments are most of the file and only cost compile time. */
const withoutComments = (db: string): string => db.replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, '')

interface Comparison {
  readonly declaredBefore: Declarations
  readonly declaredAfter: Declarations
  /** The operations that no longer compile, by type and member. */
  readonly failed: ReadonlyMap<string, ReadonlySet<Operation>>
  /** Names that the package no longer exports. */
  readonly removed: ReadonlySet<string>
}

const keyOf = (type: string, member: string | null): string => `${type} ${member ?? ''}`

/** Ignores probes that do not compile with base either: no consumer can contain such code. */
function failedOperations({ probes }: Consumer, base: Compiled, head: Compiled): Map<string, Set<Operation>> {
  const failed = new Map<string, Set<Operation>>()
  probes.forEach(({ type, member, operation }, at) => {
    const line = at + 1
    if (base.errors.has(line) || !head.errors.has(line)) return
    const key = keyOf(type, member)
    failed.set(key, (failed.get(key) ?? new Set()).add(operation))
  })
  return failed
}

function compareType(type: string, { declaredBefore, declaredAfter, failed, removed }: Comparison): TypeChange[] {
  const [before, after] = [declaredBefore.get(type), declaredAfter.get(type)]
  if (before?.kind === 'interface' && after?.kind === 'interface') {
    return [...new Set([...before.members.keys(), ...after.members.keys()])].sort().flatMap((member): TypeChange[] => {
      const [from, to] = [before.members.get(member) ?? null, after.members.get(member) ?? null]
      const operations = failed.get(keyOf(type, member))
      if (from === to && operations === undefined) return []
      const isTable = type === 'DB'
      const breaks = to !== null ? describeColumn(operations) : isTable ? 'code that uses the table' : 'code that uses it'
      return [{ type, member, from, to, breaks }]
    })
  }
  const operations = failed.get(keyOf(type, null))
  const [from, to] = [before, after].map((one) => one?.text ?? null)
  if (from === to && operations === undefined && !removed.has(type)) return []
  const describe = before?.kind === 'enum' ? describeEnum : describeColumn
  const breaks = removed.has(type) ? 'code that imports it' : describe(operations)
  return [{ type, member: null, from: from!, to: to!, breaks }]
}

function describeColumn(failed: ReadonlySet<Operation> = new Set()): string | null {
  const writes = failed.has('insert') && failed.has('update') ? 'writes' : failed.has('insert') ? 'inserts' : 'updates'
  const isWritten = failed.has('insert') || failed.has('update')
  const verbs = [...(failed.has('read') ? ['reads'] : []), ...(isWritten ? [writes] : [])]
  const losesNull = (['insert', 'update'] as const).some((verb) => failed.has(`${verb} null`) && !failed.has(verb))
  const reasons = [
    ...(failed.has('leave out') ? ['code that inserts without it'] : []),
    ...(verbs.length > 0 ? [`code that ${verbs.join(' or ')} it with the old type`] : []),
    ...(failed.has('read null') ? ['code that reads it and does not handle null'] : []),
    ...(losesNull ? ['code that writes null to it'] : []),
  ]
  return reasons.length === 0 ? null : reasons.join('; ')
}

function describeEnum(failed: ReadonlySet<Operation> = new Set()): string | null {
  const reasons = [
    ...(failed.has('insert') ? ['code that uses a removed value'] : []),
    ...(failed.has('read') ? ['code that must list every value: an exhaustive switch or a Record'] : []),
  ]
  return reasons.length === 0 ? null : reasons.join('; ')
}
