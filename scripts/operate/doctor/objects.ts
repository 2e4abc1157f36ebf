import { isPending, migrateFirst, type Check, type Finding } from './check.ts'
import { qualified } from '../../schema/dump/schema-text.ts'
import { plural } from '../../core/text.ts'

/** `$1` is the names of our tables; those that are not there yet are passed over. */
const ours = `select to_regclass(name) as oid from unnest($1::text[]) as name where to_regclass(name) is not null`

export const objectChecks: readonly Check[] = [
  {
    name: 'invalid indexes',
    looksAt: 'indexes of our tables that a failed concurrent build left: written to, never read, unique or not',
    async examine({ query, wanted }) {
      const rows = await query<{ name: string; is_leftover: boolean; builder: number | null }>(
        `select
          i.indexrelid::regclass::text as name,
          c.relname ~ '_cc(new|old)\\d*$' as is_leftover,
          (select p.pid from pg_stat_progress_create_index as p where p.index_relid = i.indexrelid limit 1) as builder
        from pg_index as i join pg_class as c on c.oid = i.indexrelid
        where i.indrelid in (${ours}) and not (i.indisvalid and i.indisready and i.indislive)
        order by 1`,
        [[...wanted.tables]],
      )
      return {
        findings: rows.map(({ name, is_leftover, builder }) =>
          builder === null
            ? {
                code: 'index_invalid',
                severity: 'bad',
                subject: name,
                what: `${name} is invalid${is_leftover ? ', left by a reindex' : ''}`,
                // What keeps a unique one from being built are duplicates, which the statement then names.
                remedy: is_leftover ? `drop index concurrently ${name};` : `reindex index concurrently ${name};`,
              }
            : {
                code: 'index_in_build',
                severity: 'note',
                subject: name,
                what: `${name} is being built by process ${builder}`,
                remedy: 'wait for it',
              },
        ),
      }
    },
  },
  {
    name: 'unvalidated constraints',
    looksAt: 'constraints of our tables and domains that hold for new rows only',
    async examine({ query, wanted }) {
      const domains = wanted.entries.filter(({ type }) => type === 'DOMAIN').map(qualified)
      const rows = await query<{ name: string; owner: string; kind: string }>(
        `select
          quote_ident(c.conname) as name,
          coalesce(nullif(c.conrelid, 0)::regclass::text, c.contypid::regtype::text) as owner,
          case c.conrelid when 0 then 'domain' else 'table' end as kind
        from pg_constraint as c
        where not c.convalidated
          and (c.conrelid in (${ours}) or c.contypid in (select to_regtype(name) from unnest($2::text[]) as name))
        order by 2, 1`,
        [[...wanted.tables], domains],
      )
      return {
        findings: rows.map(({ name, owner, kind }) => ({
          code: 'constraint_not_validated',
          severity: 'warn',
          subject: `${owner} ${name}`,
          what: `${name} of ${owner} may not hold for old rows`,
          remedy: `alter ${kind} ${owner} validate constraint ${name};`,
        })),
      }
    },
  },
  {
    name: 'disabled triggers',
    looksAt: 'triggers of our tables that do not fire, those behind foreign keys included',
    async examine({ query, wanted }) {
      const rows = await query<{ name: string; owner: string; constraint: string | null }>(
        `select distinct
          coalesce(quote_ident(c.conname), quote_ident(g.tgname)) as name,
          g.tgrelid::regclass::text as owner,
          quote_ident(c.conname) as constraint
        from pg_trigger as g left join pg_constraint as c on g.tgisinternal and c.oid = g.tgconstraint
        where g.tgrelid in (${ours}) and g.tgenabled in ('D', 'R')
        order by 2, 1`,
        [[...wanted.tables]],
      )
      return {
        findings: rows.map(({ name, owner, constraint }) => ({
          code: 'trigger_disabled',
          severity: 'bad',
          subject: `${owner} ${name}`,
          what: `${constraint === null ? 'trigger' : 'the trigger of constraint'} ${name} on ${owner} does not fire`,
          // Only a superuser disables the triggers of foreign keys, and only one enables them.
          remedy: `alter table ${owner} enable trigger ${constraint === null ? name : 'all'};`,
        })),
      }
    },
  },
  {
    name: 'row security',
    looksAt: 'tables whose row security is off, or does not hold for their owner',
    async examine(patient) {
      const { query, wanted } = patient
      const rows = await query<{ name: string; is_on: boolean; is_forced: boolean }>(
        `select oid::regclass::text as name, relrowsecurity as is_on, relforcerowsecurity as is_forced
        from pg_class where oid in (${ours})
        order by 1`,
        [wanted.entries.filter(({ type }) => type === 'ROW SECURITY').map(qualified)],
      )
      const pending = await isPending(patient)
      const finding = (code: string, subject: string, what: string, verb: string): Finding => ({
        code,
        severity: pending ? 'warn' : 'bad',
        subject,
        what,
        remedy: pending ? migrateFirst : `alter table ${subject} ${verb} row level security;`,
      })
      return {
        figure: plural(rows.length, 'table'),
        findings: rows.flatMap(({ name, is_on, is_forced }) => [
          ...(is_on ? [] : [finding('row_security_off', name, `${name} shows all its rows`, 'enable')]),
          ...(is_forced
            ? []
            : [finding('row_security_not_forced', name, `the owner of ${name} is not held to its policies`, 'force')]),
        ]),
      }
    },
  },
  {
    name: 'owners',
    looksAt: 'what another role owns than the rest of our objects: it may do with them what it likes',
    async examine({ query, wanted }) {
      const rows = await query<{ kind: string; name: string; owner: string; others: string }>(
        `with objects as (
          select 'table' as kind, oid::regclass::text as name, relowner as owner from pg_class where oid in (${ours})
          union all
          select 'routine', oid::regprocedure::text, proowner
          from pg_proc where pronamespace = to_regnamespace('private')
          union all
          select 'type', oid::regtype::text, typowner
          from unnest($2::text[]) as name join pg_type on oid = to_regtype(name)
          union all
          select 'schema', nspname, nspowner from pg_namespace where nspname = 'private'
        ), majority as (
          select mode() within group (order by owner) as owner from objects
        )
        select
          kind,
          name,
          quote_ident(pg_get_userbyid(o.owner)) as owner,
          quote_ident(pg_get_userbyid(m.owner)) as others
        from objects as o cross join majority as m
        where o.owner <> m.owner
        order by 1, 2`,
        [[...wanted.tables], wanted.entries.filter(({ type }) => /^(TYPE|DOMAIN)$/.test(type)).map(qualified)],
      )
      return {
        findings: rows.map(({ kind, name, owner, others }) => ({
          code: 'owner_differs',
          severity: 'bad',
          subject: name,
          what: `${name} is owned by ${owner}, the rest by ${others}`,
          remedy: `alter ${kind} ${name} owner to ${others};`,
        })),
      }
    },
  },
]
