import { qualified, tableOf, type Entry, type SchemaText } from '../dump/schema-text.ts'

/** One object of a schema, with what there is to compare of it. */
export interface Part {
  /** As the codes of findings have it: `column`, `policy`. */
  readonly kind: string
  /** As `make adopt` calls it: `public.apps.id`, `public.apps constraint apps_pkey`. */
  readonly object: string
  /** The table, domain or view that it belongs to. */
  readonly on?: string
  /** Aspect → text; what has one aspect has it under ''. As `make adopt` calls them, too. */
  readonly aspects: Map<string, string>
  readonly entry: Entry
}

type Make = (kind: string, object: string, on?: string) => Part

/**
 * A dump taken apart as far as its objects can differ, by object. Columns go by their name, for an adopted table has
 * them in an order of its own. Left to others: grants, and what is disabled,
 * forced, invalid or not validated.
 */
export function readParts(text: SchemaText): ReadonlyMap<string, Part> {
  const parts = new Map<string, Part>()
  for (const entry of text.entries) {
    read(entry, (kind, object, on) => {
      const part = parts.get(object) ?? { kind, object, ...(on === undefined ? {} : { on }), aspects: new Map(), entry }
      parts.set(object, part)
      return part
    })
  }
  return parts
}

const identifier = String.raw`(?:"(?:[^"]|"")+"|[^\s".;]+)`
const anchored = (pattern: string): RegExp => new RegExp(`^${pattern.replaceAll('<id>', identifier)}`)

function read(entry: Entry, make: Make): void {
  const { type, name, schema, sql } = entry
  const table = tableOf(entry)
  const second = name.slice(name.indexOf(' ') + 1)
  switch (type) {
    case 'ACL':
    case 'DEFAULT ACL':
      return
    case 'ROW SECURITY':
      make('row_security', `${table} row security`, table)
      return
    case 'TABLE':
      return readTable(entry, make)
    case 'DOMAIN':
      return readDomain(entry, make)
    case 'SEQUENCE':
      return readSequence(entry, make)
    case 'SEQUENCE OWNED BY': {
      const [, owner = ''] = / OWNED BY (.+);$/.exec(sql) ?? []
      make('sequence', qualified(entry)).aspects.set('owned by', owner)
      return
    }
    case 'DEFAULT': {
      const [, value = ''] = / SET DEFAULT ([^]*);$/.exec(sql) ?? []
      make('column', `${table}.${second}`, table).aspects.set('default', value)
      return
    }
    case 'COMMENT': {
      const [, on = '', comment = ''] = /^COMMENT ON (.+?) IS ([^]*);$/.exec(sql) ?? []
      const object = on.replace(/^[A-Z ]+(?= )/, (kind) => kind.toLowerCase())
      make('comment', `comment on ${object}`).aspects.set('', comment)
      return
    }
    case 'CONSTRAINT':
    case 'FK CONSTRAINT':
    case 'CHECK CONSTRAINT': {
      const [create = '', ...more] = sql.split(';\n\n')
      const [, definition = create] = anchored(String.raw`[^]*? ADD CONSTRAINT <id> ([^]*)`).exec(create) ?? []
      const part = make(kindOf(type), `${table} constraint ${second}`, table)
      part.aspects.set('', definition.replace(/( NOT VALID)?;?$/, ''))
      return readMore(part, more, make)
    }
    case 'POLICY':
    case 'TRIGGER':
    case 'RULE': {
      const [create = '', ...more] = sql.split(';\n\n')
      const part = make(kindOf(type), `${table} ${kindOf(type)} ${second}`, table)
      part.aspects.set('', create.replace(/;$/, ''))
      return readMore(part, more, make)
    }
    case 'INDEX': {
      const [create = '', ...more] = sql.split(';\n\n')
      const [, index = name, on = ''] =
        anchored(String.raw`CREATE (?:UNIQUE )?INDEX (<id>) ON (?:ONLY )?(<id>\.<id>) `).exec(create) ?? []
      const part = make('index', `${schema}.${index}`, on)
      part.aspects.set('', create.replace(/;$/, ''))
      return readMore(part, more, make)
    }
    case 'STATISTICS': {
      const [create = '', ...more] = sql.split(';\n\n')
      const [, statistics = qualified(entry)] = anchored(String.raw`CREATE STATISTICS (<id>\.<id>)`).exec(create) ?? []
      const part = make('statistics', statistics, / FROM (\S+?);?$/.exec(create)?.[1])
      part.aspects.set('', create.replace(/;$/, ''))
      return readMore(part, more, make)
    }
    case 'PUBLICATION TABLE': {
      const [publication = ''] = name.split(' ')
      const on = `${schema}.${second}`
      make('publication', `${on} in publication ${publication}`, on).aspects.set('', sql)
      return
    }
    case 'SCHEMA':
    case 'PUBLICATION':
      make(kindOf(type), `${kindOf(type)} ${name}`).aspects.set('', sql)
      return
    default:
      make(kindOf(type), qualified(entry)).aspects.set('', sql)
  }
}

const kindOf = (type: string): string =>
  type === 'CHECK CONSTRAINT' ? 'check' : type.toLowerCase().replaceAll(' ', '_')

/** What pg_dump says of an object after it has made it. */
function readMore(part: Part, statements: readonly string[], make: Make): void {
  for (const statement of statements) {
    const [, identity] = / REPLICA IDENTITY ([^]*?);?$/.exec(statement) ?? []
    if (identity !== undefined) {
      make('table', part.on ?? part.object).aspects.set('replica identity', identity)
    } else if (!/ (DISABLE|ENABLE REPLICA) TRIGGER | FORCE ROW LEVEL SECURITY/.test(statement)) {
      add(part, 'settings', statement.replace(/;$/, ''))
    }
  }
}

function add({ aspects }: Part, aspect: string, text: string): void {
  aspects.set(aspect, [aspects.get(aspect), text].filter((one) => one !== undefined).join(', '))
}

// --- Tables, domains, sequences

const tableForm = /^CREATE (\w+ )?TABLE \S+ \(\n([^]*?)^\)([^;]*);\n*([^]*)$/m

function readTable(entry: Entry, make: Make): void {
  const object = qualified(entry)
  const part = make('table', object)
  const [, persistence = '', body, tail = '', more = ''] = tableForm.exec(entry.sql) ?? []
  if (body === undefined) {
    part.aspects.set('', entry.sql)
    return
  }
  const [, head = '', options] = /^([^]*?)(?:\nWITH \(([^]*)\))?$/.exec(tail) ?? []
  part.aspects.set('', `${persistence}TABLE${head}`)
  if (options !== undefined) part.aspects.set('options', options.replace(/='([^']*)'/g, '=$1'))
  for (const item of items(body)) {
    const [, check, definition] = anchored(String.raw`CONSTRAINT (<id>) (?!NOT NULL$)([^]*)$`).exec(item) ?? []
    if (check !== undefined && definition !== undefined) {
      make('check', `${object} constraint ${bare(check)}`, object).aspects.set('', definition)
    } else {
      readColumn(object, item, make)
    }
  }
  const ofColumn = anchored(String.raw`ALTER TABLE ONLY \S+ ALTER COLUMN (<id>) ([^]*)$`)
  for (const statement of more.split(/;\n*/).filter((one) => one !== '')) {
    const [, column, storage = ''] = ofColumn.exec(statement) ?? []
    if (column === undefined) readMore(part, [statement], make)
    else add(make('column', `${object}.${bare(column)}`, object), 'storage', storage)
  }
}

function readColumn(table: string, item: string, make: Make): void {
  const [, name = '', rest = ''] = anchored(String.raw`(<id>) ([^]*)$`).exec(item) ?? []
  const { aspects } = make('column', `${table}.${bare(name)}`, table)
  // PostgreSQL 18 names these constraints; the name of one that an ORM made is nothing to us.
  const form = anchored(
    String.raw`([^]*?)( (?:DEFAULT|GENERATED) [^]*?)?((?: CONSTRAINT <id>)? NOT NULL)?( COLLATE \S+)?$`,
  )
  const [, type = rest, value, required, collation] = form.exec(rest) ?? []
  aspects.set('type', type)
  if (collation !== undefined) aspects.set('collation', collation.trim())
  if (required !== undefined) aspects.set('not null', 'NOT NULL')
  const given = value?.trim().replace(/^DEFAULT /, '')
  // A default of null is what form builders write for none.
  if (given !== undefined && !/^NULL(::[^()]+(\(\d+\))?)?$/.test(given)) aspects.set('default', given)
}

function readDomain(entry: Entry, make: Make): void {
  const object = qualified(entry)
  const [head = '', ...constraints] = entry.sql.replace(/;$/, '').split(/\n\t(?=CONSTRAINT )/)
  make('domain', object).aspects.set('', head)
  for (const constraint of constraints) {
    const [, name = '', definition = ''] = anchored(String.raw`CONSTRAINT (<id>) ([^]*)$`).exec(constraint) ?? []
    make('check', `${object} constraint ${bare(name)}`, object).aspects.set('', definition)
  }
}

/** An identity comes as a sequence that belongs to a column. */
function readSequence(entry: Entry, make: Make): void {
  const form = anchored(String.raw`ALTER TABLE (\S+) ALTER COLUMN (<id>) ADD (GENERATED .+? AS IDENTITY) \(([^]*)\);$`)
  const [, table, column, identity, details] = form.exec(entry.sql) ?? []
  if (table === undefined) {
    const [, own = ''] = /^CREATE SEQUENCE \S+([^]*);$/.exec(entry.sql) ?? []
    make('sequence', qualified(entry)).aspects.set('details', lines(own))
    return
  }
  const of = make('column', `${table}.${bare(column!)}`, table).aspects
  of.set('default', identity!)
  const type = of.get('type')
  const { aspects } = make('sequence', qualified(entry))
  aspects.set('owned by', `${table}.${bare(column!)}`)
  const own = lines(details!.replace(/^\s*SEQUENCE NAME .*$/m, ''))
  aspects.set('details', type === 'bigint' ? own : `AS ${type}, ${own}`)
}

const lines = (text: string): string => text.trim().split(/\s*\n\s*/).join(', ')

export const bare = (name: string): string => name.replace(/^"([^]*)"$/, '$1').replaceAll('""', '"')

/** Splits a list at the commas that are in no parentheses, string or quoted name. */
function items(list: string): string[] {
  const all = ['']
  let depth = 0
  for (const [token] of list.matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[^'"]/g)) {
    if (token === '(') depth += 1
    if (token === ')') depth -= 1
    if (token === ',' && depth === 0) all.push('')
    else all[all.length - 1] += token
  }
  return all.map((item) => item.trim()).filter((item) => item !== '')
}
