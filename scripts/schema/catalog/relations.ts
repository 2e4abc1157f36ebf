import { comment, id, isOwn, isSchema, list, objects, relation, role, when } from './sql.ts'

const option = (name: string): string =>
  `(select option_value from pg_catalog.pg_options_to_table(c.reloptions) where option_name = '${name}')`

const isTable = `c.relkind in ('r', 'p', 'f')`
const isView = `c.relkind in ('v', 'm')`

const schemas = objects({
  id: id('pg_namespace', 'n.oid'),
  kind: `'schema'`,
  schema: 'null',
  name: 'n.nspname',
  facts: { owner: role('n.nspowner'), comment: comment('n.oid', 'pg_namespace') },
  from: `
    from pg_catalog.pg_namespace as n
    where ${isSchema('n')} and ${isOwn('pg_namespace', 'n.oid')}
    order by n.nspname`,
})

const tables = objects({
  id: id('pg_class', 'c.oid'),
  kind: `case c.relkind
    when 'r' then 'table' when 'p' then 'partitioned table' when 'f' then 'foreign table'
    when 'v' then 'view' else 'materialized view'
  end`,
  schema: 'n.nspname::text',
  name: 'c.relname',
  table: id('pg_class', 'c.oid'),
  facts: {
    'owner': role('c.relowner'),
    'row security': `case when ${isTable} then case when c.relrowsecurity then 'on' else 'off' end end`,
    'forced row security': `case when ${isTable} then case when c.relforcerowsecurity then 'on' else 'off' end end`,
    'security_invoker': `case when c.relkind = 'v' then
      case when ${option('security_invoker')}::boolean then 'on' else 'off' end
    end`,
    'security_barrier': option('security_barrier'),
    'check option': option('check_option'),
    'definition': `case when ${isView} then pg_catalog.pg_get_viewdef(c.oid) end`,
    'persistence': when(`c.relpersistence = 'u'`, 'unlogged'),
    'access method': `(select amname from pg_catalog.pg_am as a where a.oid = c.relam and amname <> 'heap')`,
    'tablespace': '(select spcname from pg_catalog.pg_tablespace as s where s.oid = c.reltablespace)',
    'options': `(
      select string_agg(format('%s=%s', option_name, option_value), ', ' order by option_name)
      from pg_catalog.pg_options_to_table(c.reloptions)
      where option_name not in ('security_invoker', 'security_barrier', 'check_option')
    )`,
    'toast options': `(
      select ${list('toast.reloptions')} from pg_catalog.pg_class as toast where toast.oid = c.reltoastrelid
    )`,
    'replica identity': `case when c.relkind in ('r', 'p') then case c.relreplident
      when 'd' then 'default' when 'f' then 'full' when 'n' then 'nothing'
      else coalesce((
        select 'index ' || x.relname from pg_catalog.pg_index as i join pg_catalog.pg_class as x on x.oid = i.indexrelid
        where i.indrelid = c.oid and i.indisreplident
      ), 'a missing index')
    end end`,
    'clustered on': `(
      select x.relname from pg_catalog.pg_index as i join pg_catalog.pg_class as x on x.oid = i.indexrelid
      where i.indrelid = c.oid and i.indisclustered
    )`,
    'inherits': `case when not c.relispartition then (
      select string_agg(inhparent::regclass::text, ', ' order by inhseqno)
      from pg_catalog.pg_inherits where inhrelid = c.oid
    ) end`,
    'partition of': `case when c.relispartition then (
      select format('%s %s', inhparent::regclass, pg_catalog.pg_get_expr(c.relpartbound, c.oid))
      from pg_catalog.pg_inherits where inhrelid = c.oid
    ) end`,
    'partitioned by': `case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end`,
    'of type': `nullif(c.reloftype, 0)::regtype`,
    'foreign server': `(
      select concat_ws(' ', s.srvname, ${list('f.ftoptions')})
      from pg_catalog.pg_foreign_table as f join pg_catalog.pg_foreign_server as s on s.oid = f.ftserver
      where f.ftrelid = c.oid
    )`,
    'populated': when(`c.relkind = 'm' and not c.relispopulated`, 'no'),
    'comment': comment('c.oid', 'pg_class'),
  },
  identityKeys: {
    'definition': `(
      select md5(r.ev_action::text) from pg_catalog.pg_rewrite as r where r.ev_class = c.oid and r.rulename = '_RETURN'
    )`,
    'replica identity': `concat_ws(' ', c.relreplident, (
      select i.indexrelid from pg_catalog.pg_index as i where i.indrelid = c.oid and i.indisreplident
    ))`,
    'clustered on': `(select i.indexrelid from pg_catalog.pg_index as i where i.indrelid = c.oid and i.indisclustered)`,
    'inherits': `(
      select string_agg(inhparent::text, ' ' order by inhseqno) from pg_catalog.pg_inherits where inhrelid = c.oid
    )`,
    'partition of': `(
      select concat_ws(' ', inhparent, md5(c.relpartbound::text)) from pg_catalog.pg_inherits where inhrelid = c.oid
    )`,
    'partitioned by': `(
      select md5(concat_ws('|', partstrat, partattrs, partclass, partcollation, partexprs))
      from pg_catalog.pg_partitioned_table where partrelid = c.oid
    )`,
    'of type': 'nullif(c.reloftype, 0)',
  },
  from: `
    from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f', 'v', 'm') and ${isSchema('n')} and ${isOwn('pg_class', 'c.oid')}
    order by n.nspname, c.relname`,
})

/** Columns, and attributes of composite types. */
const columns = objects({
  id: id('pg_attribute', 'a.attrelid', 'a.attnum'),
  kind: `case c.relkind when 'c' then 'attribute' else 'column' end`,
  schema: 'n.nspname::text',
  name: 'a.attname',
  parent: `case c.relkind when 'c' then ${id('pg_type', 'c.reltype')} else ${id('pg_class', 'c.oid')} end`,
  table: `case when c.relkind <> 'c' then ${id('pg_class', 'c.oid')} end`,
  facts: {
    'position': 'a.attnum',
    'type': 'pg_catalog.format_type(a.atttypid, a.atttypmod)',
    'nullable': `case when c.relkind in ('r', 'p', 'f') then case when a.attnotnull then 'no' else 'yes' end end`,
    'default': `case when a.attgenerated = '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end`,
    'generated': `case when a.attgenerated <> '' then
      pg_catalog.pg_get_expr(d.adbin, d.adrelid) || case a.attgenerated when 's' then ' stored' else ' virtual' end
    end`,
    'identity': `case a.attidentity when 'a' then 'always' when 'd' then 'by default' end`,
    'collation': `case when a.attcollation <> t.typcollation then nullif(a.attcollation, 0)::regcollation end`,
    'storage': `case when a.attstorage <> t.typstorage then
      case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end
    end`,
    'compression': `case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end`,
    'statistics target': `nullif(a.attstattarget, -1)`,
    // PostgreSQL 15.20 as Debian builds it stores `pg_attver` with each column; its own pg_dump leaves it out.
    'options': `${list(`array(select o from unnest(a.attoptions) as o where o not like 'pg\\_attver=%')`)}`,
    'foreign options': `${list('a.attfdwoptions')}`,
    'inherited': when('a.attinhcount > 0', 'yes'),
    'comment': 'pg_catalog.col_description(a.attrelid, a.attnum)',
  },
  identityKeys: {
    type: `concat_ws('.', a.atttypid, a.atttypmod)`,
    default: 'md5(d.adbin::text)',
    generated: 'concat(a.attgenerated, md5(d.adbin::text))',
    collation: 'a.attcollation',
  },
  from: `
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_class as c on c.oid = a.attrelid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f', 'v', 'm', 'c')
      and ${isSchema('n')} and ${isOwn('pg_class', 'c.oid')}
    order by n.nspname, c.relname, a.attnum`,
})

const sequences = objects({
  id: id('pg_class', 'c.oid'),
  kind: `'sequence'`,
  schema: 'n.nspname::text',
  name: 'c.relname',
  parent: `case when d.refobjid is not null then ${id('pg_attribute', 'd.refobjid', 'd.refobjsubid')} end`,
  table: `case when d.refobjid is not null then ${id('pg_class', 'd.refobjid')} end`,
  facts: {
    'owner': role('c.relowner'),
    'type': 's.seqtypid::regtype',
    'start': 's.seqstart',
    'increment': 's.seqincrement',
    'minimum': 's.seqmin',
    'maximum': 's.seqmax',
    'cache': 's.seqcache',
    'cycle': when('s.seqcycle', 'yes'),
    'owned by': `case d.deptype when 'i' then 'identity of ' else '' end || ${relation('d.refobjid')} || '.' || (
      select attname from pg_catalog.pg_attribute where attrelid = d.refobjid and attnum = d.refobjsubid
    )`,
    'persistence': when(`c.relpersistence = 'u'`, 'unlogged'),
    'comment': comment('c.oid', 'pg_class'),
  },
  identityKeys: { 'owned by': `concat_ws('.', d.deptype, d.refobjid, d.refobjsubid)` },
  from: `
    from pg_catalog.pg_sequence as s
    join pg_catalog.pg_class as c on c.oid = s.seqrelid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    left join pg_catalog.pg_depend as d on d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid
      and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
    where ${isSchema('n')} and ${isOwn('pg_class', 'c.oid')}
    order by n.nspname, c.relname`,
})

export const relationQueries: readonly string[] = [schemas, tables, columns, sequences]
