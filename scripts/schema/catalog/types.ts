import { comment, id, isOwn, isSchema, list, objects, role } from './sql.ts'

/** Types, except arrays, multiranges and row types of tables, which are created with another type or table. */
const types = objects({
  id: id('pg_type', 't.oid'),
  kind: `case t.typtype
    when 'e' then 'enum' when 'd' then 'domain' when 'c' then 'composite type' when 'r' then 'range type'
    else 'base type'
  end`,
  schema: 'n.nspname::text',
  name: 't.typname',
  facts: {
    'owner': role('t.typowner'),
    'type': `case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) end`,
    'nullable': `case when t.typtype = 'd' then case when t.typnotnull then 'no' else 'yes' end end`,
    'default': 't.typdefault',
    'collation': `case when t.typtype = 'd' then (
      select nullif(t.typcollation, 0)::regcollation from pg_catalog.pg_type as b
      where b.oid = t.typbasetype and b.typcollation <> t.typcollation
    ) end`,
    'definition': `case t.typtype
      when 'r' then (
        select format('%s, subtype %s, opclass %s, collation %s, canonical %s, diff %s', r.rngmultitypid::regtype,
          r.rngsubtype::regtype, (select opcname from pg_catalog.pg_opclass where oid = r.rngsubopc),
          r.rngcollation::regcollation, r.rngcanonical, r.rngsubdiff)
        from pg_catalog.pg_range as r where r.rngtypid = t.oid
      )
      when 'b' then format('input %s, output %s, length %s', t.typinput, t.typoutput, t.typlen)
    end`,
    'comment': comment('t.oid', 'pg_type'),
  },
  identityKeys: {
    type: `concat_ws('.', t.typbasetype, t.typtypmod)`,
    default: 'md5(t.typdefaultbin::text)',
    collation: 't.typcollation',
    definition: `coalesce((
      select md5((to_jsonb(r) - 'rngmultitypid')::text) from pg_catalog.pg_range as r where r.rngtypid = t.oid
    ), concat_ws('.', t.typinput::oid, t.typoutput::oid, t.typlen))`,
  },
  from: `
    from pg_catalog.pg_type as t
    join pg_catalog.pg_namespace as n on n.oid = t.typnamespace
    left join pg_catalog.pg_class as c on c.oid = t.typrelid
    where t.typtype in ('e', 'd', 'c', 'r', 'b') and (t.typrelid = 0 or c.relkind = 'c')
      and not (t.typtype = 'b' and t.typcategory = 'A')
      and ${isSchema('n')} and ${isOwn('pg_type', 't.oid')}
    order by n.nspname, t.typname`,
})

const enumValues = objects({
  id: id('pg_enum', 'e.oid'),
  kind: `'enum value'`,
  schema: 'n.nspname::text',
  name: 'e.enumlabel',
  parent: id('pg_type', 't.oid'),
  facts: {
    position: `coalesce((
      select format('after %L', o.enumlabel) from pg_catalog.pg_enum as o
      where o.enumtypid = e.enumtypid and o.enumsortorder < e.enumsortorder order by o.enumsortorder desc limit 1
    ), 'first')`,
  },
  from: `
    from pg_catalog.pg_enum as e
    join pg_catalog.pg_type as t on t.oid = e.enumtypid
    join pg_catalog.pg_namespace as n on n.oid = t.typnamespace
    where ${isSchema('n')} and ${isOwn('pg_type', 't.oid')}
    order by n.nspname, t.typname, e.enumsortorder`,
})

const operators = objects({
  id: id('pg_operator', 'o.oid'),
  kind: `'operator'`,
  schema: 'n.nspname::text',
  name: 'o.oprname',
  signature: `format('%s (%s, %s)', o.oprname, nullif(o.oprleft, 0)::regtype, nullif(o.oprright, 0)::regtype)`,
  facts: {
    owner: role('o.oprowner'),
    definition: `format('function %s, commutator %s, negator %s, restrict %s, join %s, hashes %s, merges %s',
      o.oprcode, o.oprcom::regoper, o.oprnegate::regoper, o.oprrest, o.oprjoin, o.oprcanhash, o.oprcanmerge)`,
    comment: comment('o.oid', 'pg_operator'),
  },
  from: `
    from pg_catalog.pg_operator as o join pg_catalog.pg_namespace as n on n.oid = o.oprnamespace
    where ${isSchema('n')} and ${isOwn('pg_operator', 'o.oid')}`,
})

/** OIDs below 16384 are PostgreSQL's own. */
const casts = objects({
  id: id('pg_cast', 'k.oid'),
  kind: `'cast'`,
  schema: 'null',
  name: `format('%s AS %s', k.castsource::regtype, k.casttarget::regtype)`,
  facts: {
    function: `coalesce(nullif(k.castfunc, 0)::regprocedure::text,
      case k.castmethod when 'b' then 'none' else 'in and out' end)`,
    context: `case k.castcontext when 'i' then 'implicit' when 'a' then 'assignment' else 'explicit' end`,
    comment: comment('k.oid', 'pg_cast'),
  },
  from: `from pg_catalog.pg_cast as k where k.oid >= 16384 and ${isOwn('pg_cast', 'k.oid', `'e', 'i'`)}`,
})

const collations = objects({
  id: id('pg_collation', 'l.oid'),
  kind: `'collation'`,
  schema: 'n.nspname::text',
  name: 'l.collname',
  facts: {
    owner: role('l.collowner'),
    definition: `to_jsonb(l) - '{oid,collname,collnamespace,collowner,collversion}'::text[]`,
    comment: comment('l.oid', 'pg_collation'),
  },
  from: `
    from pg_catalog.pg_collation as l join pg_catalog.pg_namespace as n on n.oid = l.collnamespace
    where ${isSchema('n')} and ${isOwn('pg_collation', 'l.oid')}`,
})

/** Rare kinds: only their existence is read. Their definitions are compared in the dumps. */
const others = [
  ['pg_opclass', 'opcnamespace', 'opcname'],
  ['pg_opfamily', 'opfnamespace', 'opfname'],
  ['pg_conversion', 'connamespace', 'conname'],
  ['pg_ts_config', 'cfgnamespace', 'cfgname'],
  ['pg_ts_dict', 'dictnamespace', 'dictname'],
].map(([table = '', namespace = '', name = '']) =>
  objects({
    id: id(table, 'o.oid'),
    kind: `'other object'`,
    schema: 'n.nspname::text',
    name: `o.${name}`,
    signature: `(
      select format('%s (%s)', o.${name}, i.type)
      from pg_catalog.pg_identify_object('pg_catalog.${table}'::regclass, o.oid, 0) as i
    )`,
    facts: { comment: comment('o.oid', table) },
    from: `
      from pg_catalog.${table} as o join pg_catalog.pg_namespace as n on n.oid = o.${namespace}
      where ${isSchema('n')} and ${isOwn(table, 'o.oid')}`,
  }),
)

const eventTriggers = objects({
  id: id('pg_event_trigger', 'e.oid'),
  kind: `'event trigger'`,
  schema: 'null',
  name: 'e.evtname',
  facts: {
    owner: role('e.evtowner'),
    event: 'e.evtevent',
    tags: list('e.evttags'),
    function: 'e.evtfoid::regprocedure',
    enabled: `case e.evtenabled when 'O' then 'yes' when 'D' then 'no' when 'R' then 'on replicas' else 'always' end`,
    comment: comment('e.oid', 'pg_event_trigger'),
  },
  identityKeys: { function: 'e.evtfoid::oid' },
  from: `from pg_catalog.pg_event_trigger as e where ${isOwn('pg_event_trigger', 'e.oid')} order by e.evtname`,
})

const extensions = objects({
  id: id('pg_extension', 'x.oid'),
  kind: `'extension'`,
  schema: 'null',
  name: 'x.extname',
  facts: {
    owner: role('x.extowner'),
    version: 'x.extversion',
    schema: 'x.extnamespace::regnamespace',
    comment: comment('x.oid', 'pg_extension'),
  },
  identityKeys: { schema: 'x.extnamespace' },
  from: 'from pg_catalog.pg_extension as x order by x.extname',
})

export const typeQueries: readonly string[] = [
  types, enumValues, operators, casts, collations, ...others, eventTriggers, extensions,
]
