import { diffArrays } from 'diff'
import { readSchemaText, type Entry } from '../dump/schema-text.ts'
import { about, entrySubjects, isQualified, lineSubjects, subject, type Line } from './dump-subjects.ts'
import type { Change } from '../catalog/model.ts'

/** A difference between two dumps, in one object, that no change covers. */
export interface Hunk {
  /** The name that pg_dump uses: `TABLE public.apps`. */
  readonly entry: string
  /** Each line starts with `-` or `+`. */
  readonly lines: readonly string[]
}

/**
 * The differences between two dumps, line by line, except those that the changes cover. Changes and hunks together are
 * complete, even for objects that the catalog model does not have.
 */
export function remainingHunks(base: string, head: string, changes: readonly Change[]): Hunk[] {
  const rename = renamer(changes)
  const known = new Set(changes.flatMap(subjectsOf))
  const left = new Map(readSchemaText(head).entries.map((entry) => [entry.key, entry]))
  const pairs: [before: Entry | undefined, renamed: Entry | undefined, after: Entry | undefined][] = []
  for (const entry of readSchemaText(base).entries) {
    const candidates = [rename(entry), entry].filter(({ key }) => left.has(key))
    const now = candidates.find(({ key, sql }) => left.get(key)!.sql === sql) ?? candidates[0] ?? entry
    pairs.push([entry, rename(entry), left.get(now.key)])
    left.delete(now.key)
  }
  for (const entry of left.values()) pairs.push([undefined, undefined, entry])
  return pairs
    .map(([before, renamed, after]) => ({
      entry: (after ?? before)!.key,
      lines: uncoveredLines(linesOf(before, renamed), after ? lineSubjects(after) : [], known),
    }))
    .filter(({ lines }) => lines.length > 0)
    .sort((a, b) => (a.entry < b.entry ? -1 : 1))
}

interface OldLine extends Line {
  /** The line with the new names of renamed objects. The body of a function keeps the old names. */
  readonly renamed: string
}

function linesOf(before: Entry | undefined, renamed: Entry | undefined): OldLine[] {
  if (!before || !renamed) return []
  const now = lineSubjects(renamed)
  return lineSubjects(before).map(({ text, subjects }, at) => ({
    text,
    renamed: now[at]!.text,
    subjects: [...subjects, ...now[at]!.subjects],
  }))
}

function uncoveredLines(from: readonly OldLine[], to: readonly Line[], known: ReadonlySet<string>): string[] {
  const isSame = (one: Line, other: Line): boolean =>
    one.text === other.text || ('renamed' in one && one.renamed === other.text)
  return diffArrays<Line>([...from], [...to], { comparator: isSame }).flatMap(({ added, removed, value }) =>
    added || removed
      ? value
          .filter(({ text, subjects }) => text !== '' && !subjects.some((one) => known.has(one)))
          .map(({ text }) => `${added ? '+' : '-'}${text}`)
      : [],
  )
}

/** The subjects of a dump that a change covers. Comments and grants have separate entries. */
function subjectsOf(change: Change): string[] {
  const { kind, action, object, was, table, facts, dependents, grant } = change
  if (grant) return [about('acl', grant.object)]
  const names = [object, ...(was === null ? [] : [was])]
  // If the signature of a function changes, all its entries have another name.
  const isWhole = action !== 'changed' || was !== null
  const coversComment = isWhole || facts.some(({ fact }) => fact === 'comment')
  const coversOthers = isWhole || facts.some(({ fact }) => fact !== 'comment')
  return [
    ...names.flatMap((name) => [
      ...(coversOthers ? entrySubjects(kind, name) : []),
      ...(coversComment ? entrySubjects(kind, name).map((one) => about('comment', one)) : []),
      ...(isWhole ? [about('acl', name)] : []),
    ]),
    // The comment of a key may be the comment of its index.
    ...(kind === 'constraint' && table !== null
      ? [about('comment', `${table.split('.')[0]}.${object.slice(0, object.lastIndexOf(' on '))}`)]
      : []),
    ...dependents.map((one) => subject(one.kind, one.object)),
  ]
}

/** Replaces old names in an entry of base by new names. If the result equals the entry of head, only names changed. */
function renamer(changes: readonly Change[]): (entry: Entry) => Entry {
  const renamed = changes.filter(({ action }) => action === 'renamed')
  const names = renamed.flatMap(({ facts }) => facts.filter(({ fact }) => fact === 'name'))
  const inNames = replacer(names.map(({ from, to }) => [from!, to!]))
  const inSql = replacer(renamed.flatMap(({ kind, was, object, facts }): [string, string][] => {
    // A dump qualifies only names of objects in schemas: a column of another table may have the same name.
    if (isQualified(kind)) return [[was!.replace(/\(.*/, ''), object.replace(/\(.*/, '')]]
    return facts.filter(({ fact }) => fact === 'name').map(({ from, to }) => [from!, to!])
  }))
  const schemas = new Map(renamed.map(({ was, object }) => [was!, object.split('.')[0]!]))
  return (entry) => {
    const schema = schemas.get(`${entry.schema}.${entry.name.split(' ')[0]}`) ?? inNames(entry.schema)
    const name = inNames(entry.name)
    return { ...entry, schema, name, sql: inSql(entry.sql), key: `${entry.type} ${schema}.${name}` }
  }
}

/** Replaces all names in one pass, because two objects may have swapped their names. */
function replacer(pairs: readonly (readonly [from: string, to: string])[]): (text: string) => string {
  if (pairs.length === 0) return (text) => text
  const words = new Map(pairs)
  const patterns = [...words.keys()].sort((a, b) => b.length - a.length).map((word) => word.replace(/[^\w\s]/g, '\\$&'))
  const all = new RegExp(`(?<!\\w)(?:${patterns.join('|')})(?!\\w)`, 'g')
  return (text) => text.replace(all, (word) => words.get(word) ?? word)
}
