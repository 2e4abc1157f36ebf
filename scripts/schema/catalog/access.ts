import { comment, id, isOwn, isSchema, list, objects, relation, role } from './sql.ts'

/** Privileges by grantee, including default privileges where no ACL is stored. The grantor is ignored: it changes no rights. */
const granted = (acl: string): string => `
  cross join lateral (
    select g.grantee, json_object_agg(g.privilege, g.form order by g.privilege) as facts
    from (
      select grantee, lower(privilege_type) as privilege,
        case when bool_or(is_grantable) then 'with grant option' else 'granted' end as form
      from pg_catalog.aclexplode(${acl}) group by grantee, privilege_type
    ) as g
    group by g.grantee
  ) as g`
const grantee = `case g.grantee when 0 then 'PUBLIC' else ${role('g.grantee')} end`

interface Acl {
  /** The object: catalog and OIDs, as for `id()`. */
  readonly on: readonly [table: string, ...numbers: string[]]
  readonly acl: string
  readonly table?: string
  /** Must define the alias `n` for the schema. */
  readonly from: string
  readonly where: string
}

const grants = ({ on: [table, ...numbers], acl, table: of = 'null', from, where }: Acl): string => `
  select 'grant:' || ${id(table, ...numbers)} || ':' || ${grantee} as id, 'grant' as kind, n.nspname::text as schema,
    ${grantee} as name, ${grantee} as signature, ${id(table, ...numbers)} as parent, ${of} as "table",
    g.facts, '{}'::json as "identityKeys"
  from ${from} ${granted(acl)}
  where ${isSchema('n')} and ${where}
  order by 1`

const onSchemas = grants({
  on: ['pg_namespace', 'n.oid'],
  acl: `coalesce(n.nspacl, acldefault('n', n.nspowner))`,
  from: 'pg_catalog.pg_namespace as n',
  where: isOwn('pg_namespace', 'n.oid'),
})

const onRelations = grants({
  on: ['pg_class', 'c.oid'],
  acl: `coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))`,
  table: `case when c.relkind <> 'S' then ${id('pg_class', 'c.oid')} else (
    select ${id('pg_class', 'd.refobjid')} from pg_catalog.pg_depend as d
    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid
      and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
  ) end`,
  from: 'pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace',
  where: `c.relkind in ('r', 'p', 'f', 'v', 'm', 'S') and ${isOwn('pg_class', 'c.oid')}`,
})

const onColumns = grants({
  on: ['pg_attribute', 'a.attrelid', 'a.attnum'],
  acl: 'a.attacl',
  table: id('pg_class', 'c.oid'),
  from: `pg_catalog.pg_attribute as a
    join pg_catalog.pg_class as c on c.oid = a.attrelid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace`,
  where: `not a.attisdropped and ${isOwn('pg_class', 'c.oid')}`,
})

const onRoutines = grants({
  on: ['pg_proc', 'p.oid'],
  acl: `coalesce(p.proacl, acldefault('f', p.proowner))`,
  from: 'pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace',
  where: isOwn('pg_proc', 'p.oid', `'e', 'i'`),
})

/** The database has a fixed name, because the compared databases have different ones. It is the parent of its grants. */
const database = objects({
  id: `'pg_database'`,
  kind: `'database'`,
  schema: 'null',
  name: `'current'`,
  facts: {},
  from: '',
})

const onDatabase = `
  select 'grant:pg_database:' || ${grantee} as id, 'grant' as kind, null as schema,
    ${grantee} as name, ${grantee} as signature, 'pg_database' as parent, null as "table",
    g.facts, '{}'::json as "identityKeys"
  from pg_catalog.pg_database as d ${granted(`coalesce(d.datacl, acldefault('d', d.datdba))`)}
  where d.datname = current_database()
  order by 1`

/** The settings of `alter database … set` and `alter role … in database … set`. */
const settings = objects({
  id: `'setting:' || s.setrole || '.' || o.name`,
  kind: `'setting'`,
  schema: 'null',
  name: `o.name || case when s.setrole = 0 then '' else ' of ' || ${role('s.setrole')} end`,
  facts: { value: 'o.value' },
  from: `
    from pg_catalog.pg_db_role_setting as s
    join pg_catalog.pg_database as d on d.oid = s.setdatabase and d.datname = current_database()
    cross join lateral (
      select split_part(setting, '=', 1) as name, substring(setting from position('=' in setting) + 1) as value
      from unnest(s.setconfig) as setting
    ) as o
    order by 4`,
})

const onTypes = grants({
  on: ['pg_type', 't.oid'],
  acl: `coalesce(t.typacl, acldefault('T', t.typowner))`,
  from: `pg_catalog.pg_type as t
    join pg_catalog.pg_namespace as n on n.oid = t.typnamespace
    left join pg_catalog.pg_class as c on c.oid = t.typrelid`,
  where: `t.typtype in ('e', 'd', 'c', 'r', 'b') and (t.typrelid = 0 or c.relkind = 'c')
    and not (t.typtype = 'b' and t.typcategory = 'A') and ${isOwn('pg_type', 't.oid')}`,
})

/**
 * Default privileges. An entry for all schemas replaces PostgreSQL's own defaults, so it is read as the difference from
 * them; an entry for one schema adds to them.
 */
const defaults = `
  with lists as (
    select d.oid, d.defaclrole as maker, n.nspname, d.defaclacl as acl,
      case d.defaclobjtype
        when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' else 'schemas'
      end as what,
      case d.defaclnamespace
        when 0 then acldefault(case d.defaclobjtype when 'S' then 's' else d.defaclobjtype end::"char", d.defaclrole)
      end as usual
    from pg_catalog.pg_default_acl as d left join pg_catalog.pg_namespace as n on n.oid = d.defaclnamespace
  ), named as (
    select format('%s%s made by %s to %s', what, ' in ' || nspname, ${role('maker')},
        case grantee when 0 then 'PUBLIC' else ${role('grantee')} end) as name,
      lower(privilege_type) as privilege,
      case
        when is_grantable is null then 'revoked' when is_grantable then 'with grant option' else 'granted'
      end as form
    from lists
    cross join lateral (
      select * from pg_catalog.aclexplode(acl) as given (grantor, grantee, privilege_type, is_grantable)
      full join pg_catalog.aclexplode(usual) as usual (usual_grantor, grantee, privilege_type, usually)
        using (grantee, privilege_type)
      where is_grantable is distinct from usually
    ) as r
  )
  select 'pg_default_acl:' || name as id, 'default privileges' as kind, null as schema, name, name as signature,
    null as parent, null as "table", json_object_agg(privilege, form order by privilege) as facts,
    '{}'::json as "identityKeys"
  from named group by name order by name`

const publications = objects({
  id: id('pg_publication', 'p.oid'),
  kind: `'publication'`,
  schema: 'null',
  name: 'p.pubname',
  facts: {
    'owner': role('p.pubowner'),
    'all tables': `case when p.puballtables then 'yes' else 'no' end`,
    'operations': `concat_ws(', ', case when p.pubinsert then 'insert' end, case when p.pubupdate then 'update' end,
      case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end)`,
    'via root': `case when p.pubviaroot then 'yes' end`,
    'generated columns': `nullif(to_jsonb(p) ->> 'pubgencols', 'n')`,
    'comment': comment('p.oid', 'pg_publication'),
  },
  from: 'from pg_catalog.pg_publication as p order by p.pubname',
})

const publishedTables = objects({
  id: id('pg_publication_rel', 'r.prpubid', 'r.prrelid'),
  kind: `'published table'`,
  schema: 'n.nspname::text',
  name: relation('r.prrelid'),
  parent: id('pg_publication', 'r.prpubid'),
  table: id('pg_class', 'r.prrelid'),
  facts: {
    'columns': `coalesce((
      select string_agg(a.attname, ', ' order by a.attnum) from pg_catalog.pg_attribute as a
      where a.attrelid = r.prrelid and a.attnum = any (r.prattrs::smallint[])
    ), 'all')`,
    'row filter': 'pg_catalog.pg_get_expr(r.prqual, r.prrelid)',
  },
  identityKeys: { 'columns': 'r.prattrs', 'row filter': 'md5(r.prqual::text)' },
  from: `
    from pg_catalog.pg_publication_rel as r
    join pg_catalog.pg_class as c on c.oid = r.prrelid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    order by 1`,
})

const publishedSchemas = objects({
  id: id('pg_publication_namespace', 's.pnpubid', 's.pnnspid'),
  kind: `'published schema'`,
  schema: 'null',
  name: 's.pnnspid::regnamespace',
  parent: id('pg_publication', 's.pnpubid'),
  facts: {},
  from: 'from pg_catalog.pg_publication_namespace as s order by 1',
})

/** Roles that own objects or have privileges in this database, the roles that these are members of, and their members. */
const roles = `
  with recursive named as (
    select refobjid as oid from pg_catalog.pg_shdepend
    where refclassid = 'pg_catalog.pg_authid'::regclass
      and dbid = (select oid from pg_catalog.pg_database where datname = current_database())
    union
    select case m.member when named.oid then m.roleid else m.member end
    from named join pg_catalog.pg_auth_members as m on named.oid in (m.member, m.roleid)
    where not exists (
      select from pg_catalog.pg_roles as r where r.oid = named.oid and (r.rolsuper or r.rolname ~ '^pg_')
    )
  )
  select 'pg_authid:' || r.oid as id, 'role' as kind, null as schema, r.rolname::text as name,
    r.rolname::text as signature, null as parent, null as "table", facts, '{}'::json as "identityKeys"
  from named
  join pg_catalog.pg_roles as r using (oid)
  cross join lateral (
    select json_object_agg(fact, value order by fact) as facts from (
      values ('login', r.rolcanlogin::text), ('inherit', r.rolinherit::text), ('superuser', r.rolsuper::text),
        ('bypassrls', r.rolbypassrls::text), ('createrole', r.rolcreaterole::text), ('createdb', r.rolcreatedb::text),
        ('replication', r.rolreplication::text), ('connection limit', nullif(r.rolconnlimit, -1)::text),
        ('settings', (
          select ${list('s.setconfig')} from pg_catalog.pg_db_role_setting as s
          where s.setrole = r.oid and s.setdatabase = 0
        ))
      union all
      select 'member of ' || g.rolname, concat_ws(', ', 'member',
        case when bool_or(m.admin_option) then 'admin' end,
        case when bool_and((to_jsonb(m) ->> 'inherit_option')::boolean is false) then 'not inheriting' end,
        case when bool_and((to_jsonb(m) ->> 'set_option')::boolean is false) then 'not becoming' end)
      from pg_catalog.pg_auth_members as m join pg_catalog.pg_roles as g on g.oid = m.roleid
      where m.member = r.oid group by g.rolname
    ) as f (fact, value) where value is not null
  ) as f
  where r.rolname !~ '^pg_'
  order by r.rolname`

export const accessQueries: readonly string[] = [
  ...[database, onDatabase, settings],
  ...[onSchemas, onRelations, onColumns, onRoutines, onTypes, defaults],
  ...[publications, publishedTables, publishedSchemas, roles],
]
