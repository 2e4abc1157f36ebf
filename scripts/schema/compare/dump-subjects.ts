import type { Entry } from '../dump/schema-text.ts'
import type { Kind } from '../catalog/model.ts'

const bare = (name: string): string => name.replace(/^"([^]*)"$/, '$1').replaceAll('""', '"')

const qualified: readonly Kind[] = [
  ...(['table', 'partitioned table', 'foreign table', 'view', 'materialized view', 'sequence'] as const),
  ...(['enum', 'domain', 'composite type', 'range type', 'base type'] as const),
  ...(['function', 'procedure', 'aggregate', 'window function', 'statistics', 'collation'] as const),
]

/** Kinds that a dump writes with their schema, where a qualified name is unique without the kind. */
export const isQualified = (kind: Kind): boolean => qualified.includes(kind)
const isPlain = (kind: Kind): boolean => isQualified(kind) || /^(index|column|attribute)$/.test(kind)

/** The common name for the subject of a change and of a dump entry. The entry of an operator does not name its types. */
export const subject = (kind: Kind, object: string): string => {
  if (kind === 'operator') return `operator ${object.replace(/ \(.*/, '')}`
  return isPlain(kind) ? object : `${kind} ${object}`
}

/** pg_dump writes the parameter names of a function only in these entries, so overloads share a subject. */
export const about = (what: 'comment' | 'acl', object: string): string => `${what} ${object.replace(/\(.*/, '(')}`

/** The subjects of an object's entry; the entry of an enum or composite type covers its parts. */
export function entrySubjects(kind: Kind, object: string): string[] {
  switch (kind) {
    case 'enum value':
      return [object.replace(/^'.*' of /, '')]
    case 'attribute':
      return [object, object.replace(/\.[^.]*$/, '')]
    case 'default privileges':
      return [`default ${object.replace(/ made by .*$/, '')}`]
    default:
      return [subject(kind, object)]
  }
}

export interface Line {
  readonly text: string
  readonly subjects: readonly string[]
}

/** The lines of an entry, each with its subjects. */
export function lineSubjects(entry: Entry): Line[] {
  const table = `${entry.schema}.${entry.name}`
  const isInline = /^(FOREIGN TABLE|TABLE|DOMAIN)$/.test(entry.type)
  const whole = wholeSubjects(entry)
  let current: readonly string[] = whole
  return entry.sql.split('\n').map((line): Line => {
    if (isInline) current = inlineSubjects(line, table, whole) ?? current
    const altered = /^ALTER TABLE (?:ONLY )?(\S+) (?:REPLICA IDENTITY|CLUSTER ON) /.exec(line)?.[1]
    return { text: line.replace(/,$/, ''), subjects: altered === undefined ? current : [altered] }
  })
}

const identifier = String.raw`("(?:[^"]|"")+"|[a-z_][\w$]*)`
const constraintLine = new RegExp(String.raw`^(?:    |\t)CONSTRAINT ${identifier} `)
const columnLine = new RegExp(String.raw`^    ${identifier} `)
const ofColumnLine = new RegExp(String.raw`^ALTER (?:FOREIGN )?TABLE (?:ONLY )?\S+ ALTER COLUMN ${identifier} `)

/** `undefined` if the line continues the one before. */
function inlineSubjects(line: string, table: string, whole: readonly string[]): readonly string[] | undefined {
  const constraint = constraintLine.exec(line)?.[1]
  if (constraint !== undefined) return [subject('constraint', `${bare(constraint)} on ${table}`)]
  const column = (columnLine.exec(line) ?? ofColumnLine.exec(line))?.[1]
  if (column !== undefined) return [`${table}.${bare(column)}`]
  return /^(CREATE|ALTER|\)|INHERITS|WITH|PARTITION|SERVER|OPTIONS)/.test(line) ? whole : undefined
}

function wholeSubjects({ type, schema, name, sql }: Entry): string[] {
  const object = `${schema}.${name}`
  // The name of a table has no space; the name of its part follows.
  const [table = '', ...rest] = name.split(' ')
  const on = `${rest.join(' ')} on ${schema}.${table}`
  switch (type) {
    case 'COMMENT':
      return [about('comment', commented(schema, name))]
    case 'ACL':
      return [about('acl', granted(schema, name))]
    case 'DEFAULT ACL': {
      const what = name.replace('DEFAULT PRIVILEGES FOR ', '').toLowerCase()
      return [`default ${what}${schema === '-' ? '' : ` in ${schema}`}`]
    }
    case 'CONSTRAINT':
    case 'FK CONSTRAINT':
    case 'CHECK CONSTRAINT':
      return [subject('constraint', on)]
    case 'TRIGGER':
      return [subject('trigger', on)]
    case 'POLICY':
      return [subject('policy', on)]
    case 'RULE':
      return [subject('rule', on)]
    case 'DEFAULT':
      return [`${schema}.${table}.${rest.join(' ')}`]
    case 'SCHEMA':
      return [subject('schema', name)]
    case 'PUBLICATION':
      return [subject('publication', name)]
    case 'PUBLICATION TABLE':
      return [subject('published table', `${schema}.${rest.join(' ')} in ${table}`)]
    case 'PUBLICATION TABLES IN SCHEMA':
      return [subject('published schema', `${rest.join(' ')} in ${table}`)]
    case 'SEQUENCE': {
      const [, of, column] = /^ALTER TABLE (\S+) ALTER COLUMN (\S+) ADD GENERATED/.exec(sql) ?? []
      return column === undefined ? [object] : [object, `${of}.${bare(column)}`]
    }
    case 'OPERATOR':
      return [subject('operator', object)]
    default:
      return [object]
  }
}

/** `COLUMN apps.id`, `POLICY select_own ON apps`, `SCHEMA private` */
function commented(schema: string, name: string): string {
  const [, words = '', object = ''] = /^((?:[A-Z]+ )+)([^]*)$/.exec(name) ?? []
  const [, part, table] = /^([^]*) ON (?:DOMAIN )?(\S+)$/.exec(object) ?? []
  const kind = words.trim().toLowerCase() as Kind
  if (part !== undefined) return subject(kind, `${part} on ${schema}.${table}`)
  if (schema === '-') return subject(kind, object)
  // `type` is not a kind of the model: objects in schemas are identified by their names.
  return kind === 'operator' ? subject(kind, `${schema}.${object}`) : `${schema}.${object}`
}

const granted = (schema: string, name: string): string => {
  const object = name.replace(/^([A-Z]+ )+/, '')
  return schema === '-' ? object : `${schema}.${object}`
}
