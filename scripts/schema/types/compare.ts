import { isDeepStrictEqual } from 'node:util'
import { compileConsumers, type Compiled } from './compile.ts'
import { writeConsumer, type Consumer, type Use } from './consumer.ts'
import { readDeclarations, type Declarations } from './declarations.ts'

export interface TypesReport {
  readonly changes: readonly TypeChange[]
  /** What the package's next version is for the types' sake. */
  readonly bump: 'none' | 'minor' | 'major'
}

export interface TypeChange {
  /** The type: `Apps`, `GenerationStatus`. */
  readonly type: string
  /** Of an interface, the column. */
  readonly member: string | null
  readonly from: string | null
  readonly to: string | null
  /** Whether a consumer may stop compiling, and then why. */
  readonly breaks: string | null
}

/** The folder `types/` of the package. */
export interface Types {
  /** What kysely-codegen writes. */
  readonly db: string
  /** The files beside it: name → text, `index.ts` among them. */
  readonly written: ReadonlyMap<string, string>
}

/**
 * What is different for those who import the types, and what of a consumer that compiled with those of base stops
 * compiling. Of types that are written by hand only the names are compared.
 */
export function compareTypes(base: Types, head: Types): TypesReport {
  const [ofBase, ofHead] = [withoutComments(base.db), withoutComments(head.db)]
  const isSame = ofBase === ofHead && isDeepStrictEqual(base.written, head.written)
  if (isSame) return { changes: [], bump: 'none' }
  const [was, is] = [readDeclarations(ofBase), readDeclarations(ofHead)]
  const consumer = writeConsumer(ofBase, was, is)
  const compiled = compileConsumers({
    base: new Map([...base.written, ['db.ts', ofBase], ...consumer.files]),
    head: new Map([...head.written, ['db.ts', ofHead], ...consumer.files]),
  })
  const [before, after] = [compiled.get('base')!, compiled.get('head')!]
  const gone = new Set([...before.exported].filter((name) => !after.exported.has(name)))
  const seen: Seen = { was, is, failed: failures(consumer, before, after), gone }
  const changes = [...new Set([...was.keys(), ...is.keys(), ...gone])].sort().flatMap((type) => compare(type, seen))
  const isMajor = changes.some(({ breaks }) => breaks !== null)
  return { changes, bump: isMajor ? 'major' : changes.length > 0 ? 'minor' : 'none' }
}

/** The most of it, and nothing to the compiler but time. */
const withoutComments = (db: string): string => db.replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, '')

interface Seen {
  readonly was: Declarations
  readonly is: Declarations
  /** By type and member, what can be done no more. */
  readonly failed: ReadonlyMap<string, ReadonlySet<Use>>
  /** Names that the package exported. */
  readonly gone: ReadonlySet<string>
}

const keyOf = (type: string, member: string | null): string => `${type} ${member ?? ''}`

/** What did not compile with base either is no consumer's code. */
function failures({ probes }: Consumer, base: Compiled, head: Compiled): Map<string, Set<Use>> {
  const failed = new Map<string, Set<Use>>()
  probes.forEach(({ type, member, use }, at) => {
    const line = at + 1
    if (base.errors.has(line) || !head.errors.has(line)) return
    const key = keyOf(type, member)
    failed.set(key, (failed.get(key) ?? new Set()).add(use))
  })
  return failed
}

function compare(type: string, { was, is, failed, gone }: Seen): TypeChange[] {
  const [before, after] = [was.get(type), is.get(type)]
  if (before?.kind === 'interface' && after?.kind === 'interface') {
    return [...new Set([...before.members.keys(), ...after.members.keys()])].sort().flatMap((member): TypeChange[] => {
      const [from, to] = [before.members.get(member) ?? null, after.members.get(member) ?? null]
      const uses = failed.get(keyOf(type, member))
      if (from === to && uses === undefined) return []
      const breaks = to !== null ? whyOfColumn(uses) : type === 'DB' ? 'whoever names the table' : 'whoever names it'
      return [{ type, member, from, to, breaks }]
    })
  }
  const uses = failed.get(keyOf(type, null))
  const [from, to] = [before, after].map((one) => one?.text ?? null)
  if (from === to && uses === undefined && !gone.has(type)) return []
  const whyOfType = before?.kind === 'enum' ? whyOfEnum : whyOfColumn
  return [{ type, member: null, from: from!, to: to!, breaks: gone.has(type) ? 'whoever imports it' : whyOfType(uses) }]
}

function whyOfColumn(uses: ReadonlySet<Use> = new Set()): string | null {
  const writes = uses.has('insert') && uses.has('update') ? 'writes' : uses.has('insert') ? 'inserts' : 'updates'
  const isWritten = uses.has('insert') || uses.has('update')
  const verbs = [...(uses.has('read') ? ['reads'] : []), ...(isWritten ? [writes] : [])]
  const losesNull = (['insert', 'update'] as const).some((use) => uses.has(`${use} null`) && !uses.has(use))
  const reasons = [
    ...(uses.has('leave out') ? ['whoever inserts has to name it'] : []),
    ...(verbs.length > 0 ? [`whoever ${verbs.join(' or ')} it as what it was`] : []),
    ...(uses.has('read null') ? ['whoever reads it has to reckon with null'] : []),
    ...(losesNull ? ['whoever writes null to it'] : []),
  ]
  return reasons.length === 0 ? null : reasons.join('; ')
}

function whyOfEnum(uses: ReadonlySet<Use> = new Set()): string | null {
  const reasons = [
    ...(uses.has('insert') ? ['whoever names a value that is gone'] : []),
    ...(uses.has('read') ? ['whoever has to name every value: a switch or a Record over it'] : []),
  ]
  return reasons.length === 0 ? null : reasons.join('; ')
}
