import type { TypesReport } from './report.ts'

export interface TypeChange {
  /** The exported type: `Apps`, `GenerationStatus`. */
  readonly type: string
  /** Of an interface, the column. */
  readonly member: string | null
  readonly from: string | null
  readonly to: string | null
  /** Whether a consumer may stop compiling, and then why. */
  readonly breaks: string | null
}

/**
 * What is different for those who import the types. Comments are left out.
 *
 * @param base, head what kysely-codegen writes.
 */
export function compareTypes(base: string, head: string): TypesReport {
  const [was, is] = [readTypes(base), readTypes(head)]
  const changes = [...new Set([...was.keys(), ...is.keys()])]
    .filter((name) => was.get(name)?.text !== is.get(name)?.text)
    .sort()
    .flatMap((name) => compare(name, was.get(name), is.get(name)))
  const isMajor = changes.some(({ breaks }) => breaks !== null)
  return { changes, bump: isMajor ? 'major' : changes.length > 0 ? 'minor' : 'none' }
}

interface Type {
  readonly text: string
  /** Of an interface. */
  readonly members: ReadonlyMap<string, string> | null
}

/** The generator writes a declaration a paragraph and a column a line. */
function readTypes(source: string): Map<string, Type> {
  const text = source.replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, '')
  const found = text.matchAll(/^export (interface|type) (\w+)(?:<\w+>)?(?: =)? ([\s\S]*?)(?=\n\n|\n?$(?![\s\S]))/gm)
  return new Map(
    [...found].map(([, kind, name, body]) => {
      const lines = body!.matchAll(/^ {2}("?[^\n]+?"?): ([^\n]+);$/gm)
      const members = kind === 'interface' ? new Map([...lines].map(([, key, type]) => [key!, type!])) : null
      return [name!, { text: body!, members }]
    }),
  )
}

function compare(type: string, was: Type | undefined, is: Type | undefined): TypeChange[] {
  if (was?.members && is?.members) {
    const [before, after] = [was.members, is.members]
    return [...new Set([...before.keys(), ...after.keys()])]
      .filter((member) => before.get(member) !== after.get(member))
      .sort()
      .map((member) => {
        const [from, to] = [before.get(member) ?? null, after.get(member) ?? null]
        return { type, member, from, to, breaks: type === 'DB' && from === null ? null : breaksMember(from, to) }
      })
  }
  const [from, to] = [was, is].map((one) => (one ? (one.members ? 'interface' : one.text.replace(/;$/, '')) : null))
  return [{ type, member: null, from: from!, to: to!, breaks: breaksType(from!, to!) }]
}

/** What an insert may leave out. */
const isOptional = (type: string): boolean => /^Generated<|\| null$|undefined|, never, never>$/.test(type)

function breaksMember(from: string | null, to: string | null): string | null {
  if (from === null) return isOptional(to!) ? null : 'whoever inserts has to name it'
  if (to === null) return 'whoever names it'
  if (to === `Generated<${from}>`) return null
  if (from === `Generated<${to}>`) return 'whoever inserts has to name it'
  if (to === `${from} | null`) return 'whoever reads it has to reckon with null'
  if (from === `${to} | null`) return 'whoever writes null to it'
  return 'whoever reads or writes it as what it was'
}

function breaksType(from: string | null, to: string | null): string | null {
  if (from === null) return null
  if (to === null) return 'whoever imports it'
  const [before, after] = [from, to].map((text) => text.split(' | '))
  return before!.every((value) => after!.includes(value))
    ? 'whoever has to name every value: a switch or a Record over it'
    : 'whoever names a value that is gone'
}
