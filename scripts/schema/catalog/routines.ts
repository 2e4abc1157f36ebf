import { comment, id, isOwn, isSchema, objects, role, when } from './sql.ts'

const setting = (condition: string): string =>
  `(select string_agg(s, ', ' order by s) from unnest(p.proconfig) as s where s ${condition} 'search\\_path=%')`

const routines = objects({
  id: id('pg_proc', 'p.oid'),
  kind: `case p.prokind
    when 'p' then 'procedure' when 'a' then 'aggregate' when 'w' then 'window function' else 'function'
  end`,
  schema: 'n.nspname::text',
  name: 'p.proname',
  signature: `format('%s(%s)', p.proname, (
    select string_agg(pg_catalog.format_type(t, null), ', ' order by i)
    from unnest(p.proargtypes) with ordinality as a (t, i)
  ))`,
  facts: {
    'owner': role('p.proowner'),
    'arguments': 'pg_catalog.pg_get_function_arguments(p.oid)',
    'returns': 'pg_catalog.pg_get_function_result(p.oid)',
    'language': '(select lanname from pg_catalog.pg_language as l where l.oid = p.prolang)',
    'volatility': `case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end`,
    'security': `case when p.prosecdef then 'definer' else 'invoker' end`,
    'search_path': `regexp_replace(${setting('like')}, '^search_path=', '')`,
    'settings': setting('not like'),
    'strict': when('p.proisstrict', 'yes'),
    'leakproof': when('p.proleakproof', 'yes'),
    'parallel': `case p.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end`,
    'cost': 'p.procost',
    'rows': 'nullif(p.prorows, 0)',
    'support': 'nullif(p.prosupport::oid, 0)::regproc',
    'transforms': `(select string_agg(t::regtype::text, ', ') from unnest(p.protrftypes) as t)`,
    'body': `case when p.prokind <> 'a' then coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) end`,
    'library': 'p.probin',
    'definition': `(
      select string_agg(format('%s %s', key, value), ', ' order by key) from jsonb_each_text(to_jsonb(g) - 'aggfnoid')
      where value not in ('0', '-', 'false')
    )`,
    'comment': comment('p.oid', 'pg_proc'),
  },
  identityKeys: {
    arguments: `md5(concat_ws('|', p.proargtypes, p.proallargtypes, p.proargmodes, p.proargnames, p.proargdefaults))`,
    returns: `md5(concat_ws('|', p.prorettype, p.proretset, p.proallargtypes, p.proargmodes, p.proargnames))`,
    body: 'md5(p.prosqlbody::text)',
  },
  from: `
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    left join pg_catalog.pg_aggregate as g on g.aggfnoid = p.oid
    where ${isSchema('n')} and ${isOwn('pg_proc', 'p.oid', `'e', 'i'`)}
    order by n.nspname, p.proname, p.oid`,
})

export const routineQueries: readonly string[] = [routines]
