import { comment, id, isOwn, isSchema, list, objects, relation, role, when } from './sql.ts'

/** The common fields of parts of a table or view `c` in the schema `n`. */
const ofTable = {
  schema: 'n.nspname::text',
  parent: id('pg_class', 'c.oid'),
  table: id('pg_class', 'c.oid'),
}
const joinTable = (oid: string): string => `
  join pg_catalog.pg_class as c on c.oid = ${oid}
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace`

const indexIdentity = `concat_ws('|', i.indrelid, i.indkey, i.indclass, i.indcollation, i.indoption, i.indnkeyatts,
  i.indnullsnotdistinct, i.indexprs, x.relam, x.reloptions)`

/** Constraints of tables and domains. NOT NULL, which PostgreSQL 18 stores as a constraint, is a fact of its column. */
const constraints = objects({
  id: id('pg_constraint', 'k.oid'),
  kind: `'constraint'`,
  schema: 'n.nspname::text',
  name: 'k.conname',
  parent: `case when k.contypid <> 0 then ${id('pg_type', 'k.contypid')} else ${id('pg_class', 'k.conrelid')} end`,
  table: `case when k.conrelid <> 0 then ${id('pg_class', 'k.conrelid')} end`,
  facts: {
    'type': `case k.contype
      when 'c' then 'check' when 'f' then 'foreign key' when 'p' then 'primary key' when 'u' then 'unique'
      else 'exclusion'
    end`,
    'definition': `regexp_replace(pg_catalog.pg_get_constraintdef(k.oid),
      '( DEFERRABLE)?( INITIALLY DEFERRED)?( NOT VALID)?( NOT ENFORCED)?$', '')`,
    'deferrable': `case when k.condeferred then 'initially deferred' when k.condeferrable then 'yes' end`,
    'validated': `case when k.convalidated then 'yes' else 'no' end`,
    'enforced': `case to_jsonb(k) ->> 'conenforced' when 'false' then 'no' end`,
    // A superuser can disable the triggers that enforce a foreign key.
    'triggers': `(
      select 'disabled' from pg_catalog.pg_trigger as t
      where t.tgconstraint = k.oid and k.contype = 'f' and t.tgisinternal and t.tgenabled in ('D', 'R') limit 1
    )`,
    'inherited': when('k.coninhcount > 0', 'yes'),
    'index options': list('x.reloptions'),
    'index tablespace': '(select spcname from pg_catalog.pg_tablespace as s where s.oid = x.reltablespace)',
    'index valid': when('not i.indisvalid', 'no'),
    'index comment': comment('x.oid', 'pg_class'),
    'comment': comment('k.oid', 'pg_constraint'),
  },
  identityKeys: {
    definition: `md5(concat_ws('|', k.contype, k.conrelid, k.contypid, k.conkey, k.confrelid, k.confkey, k.confupdtype,
      k.confdeltype, k.confmatchtype, k.confdelsetcols, k.conexclop, k.connoinherit, k.conbin, i.indkey, i.indclass,
      i.indnullsnotdistinct, i.indpred, i.indexprs))`,
  },
  from: `
    from pg_catalog.pg_constraint as k
    join pg_catalog.pg_namespace as n on n.oid = k.connamespace
    left join pg_catalog.pg_class as x on x.oid = k.conindid and k.contype in ('p', 'u', 'x')
    left join pg_catalog.pg_index as i on i.indexrelid = x.oid
    where k.contype in ('c', 'f', 'p', 'u', 'x') and ${isSchema('n')}
      and ${isOwn('pg_class', 'k.conrelid')} and ${isOwn('pg_type', 'k.contypid')}
    order by n.nspname, k.conrelid::regclass::text, k.conname`,
})

const using = `substring(pg_catalog.pg_get_indexdef(x.oid) from ' USING (.*)$')`
const where = `coalesce(' WHERE ' || pg_catalog.pg_get_expr(i.indpred, i.indrelid), '')`

/** Indexes, except those of constraints, which are facts of the constraints. */
const indexes = objects({
  ...ofTable,
  id: id('pg_class', 'x.oid'),
  kind: `'index'`,
  name: 'x.relname',
  facts: {
    'definition': `case when right(${using}, length(${where})) = ${where}
      then left(${using}, length(${using}) - length(${where})) else ${using} end`,
    'unique': when('i.indisunique', 'yes'),
    'predicate': 'pg_catalog.pg_get_expr(i.indpred, i.indrelid)',
    'valid': `case when i.indisvalid then 'yes' else 'no' end`,
    'tablespace': '(select spcname from pg_catalog.pg_tablespace as s where s.oid = x.reltablespace)',
    'partition of': `(select ${relation('inhparent')} from pg_catalog.pg_inherits where inhrelid = x.oid)`,
    'statistics target': `(
      select string_agg(a.attnum || ': ' || a.attstattarget, ', ' order by a.attnum) from pg_catalog.pg_attribute as a
      where a.attrelid = x.oid and a.attstattarget <> -1
    )`,
    'comment': comment('x.oid', 'pg_class'),
  },
  identityKeys: {
    'definition': `md5(${indexIdentity})`,
    'predicate': 'md5(i.indpred::text)',
    'partition of': '(select inhparent::oid from pg_catalog.pg_inherits where inhrelid = x.oid)',
  },
  from: `
    from pg_catalog.pg_index as i join pg_catalog.pg_class as x on x.oid = i.indexrelid ${joinTable('i.indrelid')}
    where ${isSchema('n')} and ${isOwn('pg_class', 'c.oid')} and not exists (
      select from pg_catalog.pg_constraint as k where k.conindid = x.oid and k.contype in ('p', 'u', 'x')
    )
    order by n.nspname, c.relname, x.relname`,
})

const enabled = (letter: string): string =>
  `case ${letter} when 'O' then 'yes' when 'D' then 'no' when 'R' then 'on replicas' else 'always' end`

const triggers = objects({
  ...ofTable,
  id: id('pg_trigger', 't.oid'),
  kind: `'trigger'`,
  name: 't.tgname',
  facts: {
    definition: `regexp_replace(replace(pg_catalog.pg_get_triggerdef(t.oid),
      ' TRIGGER ' || quote_ident(t.tgname) || ' ', ' TRIGGER '), '^CREATE ', '')`,
    enabled: enabled('t.tgenabled'),
    inherited: when('t.tgparentid <> 0', 'yes'),
    comment: comment('t.oid', 'pg_trigger'),
  },
  identityKeys: {
    definition: `md5(concat_ws('|', t.tgrelid, t.tgfoid, t.tgtype, t.tgconstrrelid, t.tgdeferrable, t.tginitdeferred,
      t.tgattr, t.tgargs, t.tgqual, t.tgoldtable, t.tgnewtable))`,
  },
  from: `
    from pg_catalog.pg_trigger as t ${joinTable('t.tgrelid')}
    where not t.tgisinternal and ${isSchema('n')} and ${isOwn('pg_trigger', 't.oid')}
    order by n.nspname, c.relname, t.tgname`,
})

const policies = objects({
  ...ofTable,
  id: id('pg_policy', 'p.oid'),
  kind: `'policy'`,
  name: 'p.polname',
  facts: {
    command: `case p.polcmd
      when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
    end`,
    roles: `array_to_string(array(
      select case r when 0 then 'PUBLIC' else ${role('r')} end from unnest(p.polroles) as r order by 1
    ), ', ')`,
    permissive: `case when p.polpermissive then 'yes' else 'no' end`,
    using: 'pg_catalog.pg_get_expr(p.polqual, p.polrelid)',
    check: 'pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)',
    comment: comment('p.oid', 'pg_policy'),
  },
  identityKeys: { using: 'md5(p.polqual::text)', check: 'md5(p.polwithcheck::text)' },
  from: `
    from pg_catalog.pg_policy as p ${joinTable('p.polrelid')}
    where ${isSchema('n')}
    order by n.nspname, c.relname, p.polname`,
})

/** Rules, except the `_RETURN` rule of a view, which is the definition of the view. */
const rules = objects({
  ...ofTable,
  id: id('pg_rewrite', 'r.oid'),
  kind: `'rule'`,
  name: 'r.rulename',
  facts: {
    definition: `regexp_replace(pg_catalog.pg_get_ruledef(r.oid), '^CREATE RULE \\S+ AS\\s+', '')`,
    enabled: enabled('r.ev_enabled'),
    comment: comment('r.oid', 'pg_rewrite'),
  },
  identityKeys: { definition: `md5(concat_ws('|', r.ev_class, r.ev_type, r.is_instead, r.ev_qual, r.ev_action))` },
  from: `
    from pg_catalog.pg_rewrite as r ${joinTable('r.ev_class')}
    where r.rulename <> '_RETURN' and ${isSchema('n')} and ${isOwn('pg_class', 'c.oid')}
    order by n.nspname, c.relname, r.rulename`,
})

const statistics = objects({
  ...ofTable,
  id: id('pg_statistic_ext', 's.oid'),
  kind: `'statistics'`,
  schema: 's.stxnamespace::regnamespace::text',
  name: 's.stxname',
  facts: {
    'owner': role('s.stxowner'),
    'definition': `regexp_replace(pg_catalog.pg_get_statisticsobjdef(s.oid), '^CREATE STATISTICS \\S+ ', '')`,
    'statistics target': 'nullif(s.stxstattarget, -1)',
    'comment': comment('s.oid', 'pg_statistic_ext'),
  },
  identityKeys: { definition: `md5(concat_ws('|', s.stxrelid, s.stxkeys, s.stxkind, s.stxexprs))` },
  from: `
    from pg_catalog.pg_statistic_ext as s ${joinTable('s.stxrelid')}
    where ${isSchema('n')}
    order by n.nspname, s.stxname`,
})

export const partQueries: readonly string[] = [constraints, indexes, triggers, policies, rules, statistics]

