import { over, severity, type Check, type Finding } from './check.ts'
import { percent, size, span } from '../../core/text.ts'

/** The managed tables and their TOAST tables. `$1` holds the names of the tables. */
const relations = `
  select t.oid, t.oid::regclass::text as name, t.oid::regclass::text as owner
  from unnest($1::text[]) as wanted join pg_class as t on t.oid = to_regclass(wanted)
  union all
  select t.reltoastrelid, t.oid::regclass::text || ' (values out of line)', t.oid::regclass::text
  from unnest($1::text[]) as wanted join pg_class as t on t.oid = to_regclass(wanted)
  where t.reltoastrelid <> 0`

export const storageChecks: readonly Check[] = [
  {
    name: 'wraparound',
    looksAt: 'the age of the oldest transaction and multixact ids: at two thousand million the server stops writing',
    async examine({ query, tables, limits }) {
      const rows = await query<{ name: string; age: number; remedy: string }>(
        `select
          'database ' || datname as name,
          greatest(age(datfrozenxid), mxid_age(datminmxid)) as age,
          format('vacuumdb --freeze --jobs=2 --dbname=%I', datname) as remedy
        from pg_database where datname = current_database()
        union all
        select
          r.name,
          greatest(age(c.relfrozenxid), mxid_age(c.relminmxid)),
          format('vacuum (freeze, verbose) %s;', r.owner)
        from (${relations}) as r join pg_class as c on c.oid = r.oid
        order by age desc`,
        [tables],
      )
      return {
        figure: `${((rows[0]?.age ?? 0) / 1e6).toFixed(1)} million`,
        findings: over(rows, ({ age }) => age, limits.xidAge, ({ name, age, remedy }) => ({
          code: 'xids_old',
          subject: name,
          what: `${name} has ids ${Math.round(age / 1e6)} million transactions old`,
          remedy,
        })),
      }
    },
  },
  {
    name: 'autovacuum',
    looksAt: 'whether autovacuum is on for the server and for our tables',
    async examine({ query, tables }) {
      const rows = await query<{ name: string; remedy: string }>(
        `select 'the server' as name, 'set autovacuum = on in the configuration of the server' as remedy
        where current_setting('autovacuum') <> 'on' or current_setting('track_counts') <> 'on'
        union all
        select r.name, format('alter table %s reset (autovacuum_enabled, toast.autovacuum_enabled);', r.owner)
        from (${relations}) as r join pg_class as c on c.oid = r.oid
        where exists (
          select from pg_options_to_table(c.reloptions)
          where option_name = 'autovacuum_enabled' and not option_value::boolean
        )`,
        [tables],
      )
      return {
        findings: rows.map(({ name, remedy }) => ({
          code: 'autovacuum_off',
          severity: 'warn',
          subject: name,
          what: `autovacuum is off for ${name}`,
          remedy,
        })),
      }
    },
  },
  {
    name: 'dead rows',
    looksAt: 'the share of dead rows that vacuum has not removed, and tables that were never analysed',
    async examine({ query, tables, limits }) {
      const rows = await query<Vacuumed>(
        `select
          r.name,
          r.owner,
          s.n_live_tup::float8 as live,
          s.n_dead_tup::float8 as dead,
          extract(epoch from now() - greatest(s.last_vacuum, s.last_autovacuum))::float8 as vacuumed,
          c.reltuples < 0 and c.relkind = 'r' as is_unknown
        from (${relations}) as r
        join pg_class as c on c.oid = r.oid
        join pg_stat_all_tables as s on s.relid = r.oid
        order by dead desc`,
        [tables],
      )
      const share = ({ live, dead }: Vacuumed): number => (dead < limits.deadTuples ? 0 : dead / (live + dead))
      return {
        findings: [
          ...over(rows, share, limits.deadShare, (row) => ({
            code: 'rows_dead',
            subject: row.name,
            what:
              `${row.name}: ${percent(share(row))} of the rows are dead (${row.dead}), ` +
              (row.vacuumed === null ? 'never vacuumed' : `vacuumed ${span(row.vacuumed)} ago`),
            remedy: `vacuum (analyze, verbose) ${row.owner};`,
          })),
          ...rows
            .filter(({ is_unknown, live }) => is_unknown && live >= limits.deadTuples)
            .map(({ name }): Finding => ({
              code: 'table_never_analysed',
              severity: 'warn',
              subject: name,
              what: `${name} was never analysed: its queries are planned without statistics`,
              remedy: `analyze ${name};`,
            })),
        ],
      }
    },
  },
  {
    name: 'unused space',
    // Estimated from the average width of rows and columns in the statistics. Alignment is not known: the worst case is
    // assumed, and only large deviations are reported. TOAST tables and indexes have no such statistics.
    looksAt: 'space inside tables that no row uses, estimated from statistics',
    async examine({ query, tables, limits }) {
      const rows = await query<{ name: string; bytes: number; used: number }>(
        `select
          c.oid::regclass::text as name,
          b.size * c.relpages::float8 as bytes,
          least(c.relpages, ceil(c.reltuples * w.width / (b.size - 24) * 100 / f.fillfactor)) * b.size as used
        from unnest($1::text[]) as wanted
        join pg_class as c on c.oid = to_regclass(wanted)
        join pg_namespace as n on n.oid = c.relnamespace
        cross join (select current_setting('block_size')::float8 as size) as b
        cross join lateral (
          select coalesce((
            select option_value::float8 from pg_options_to_table(c.reloptions) where option_name = 'fillfactor'
          ), 100) as fillfactor
        ) as f
        cross join lateral (
          select 4 + 24 + count(*) / 8 + 8 + sum(s.avg_width * (1 - s.null_frac) + 7) as width, count(*) as columns
          from pg_stats as s
          where s.schemaname = n.nspname and s.tablename = c.relname and not s.inherited
        ) as w
        where c.reltuples >= 0
          and w.columns = (select count(*) from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped)
        order by 1`,
        [tables],
      )
      return {
        findings: rows.flatMap(({ name, bytes, used }) => {
          const unused = bytes - used
          const severe = unused < limits.unusedBytes ? undefined : severity(unused / bytes, limits.unusedShare)
          if (!severe) return []
          return [{
            code: 'space_unused',
            severity: severe,
            subject: name,
            what: `${name}: about ${size(unused)} of ${size(bytes)} (${percent(unused / bytes)}) are unused`,
            remedy: `pg_repack --table=${name}, or vacuum (full, analyze) ${name} in a maintenance window`,
          }]
        }),
      }
    },
  },
  {
    name: 'sequences',
    looksAt: 'the used share of the ranges of our sequences; those of `serial` columns end at 2,147,483,647',
    async examine({ query, tables, limits }) {
      const rows = await query<{ name: string; column: string; share: number; type: string }>(
        `select
          c.oid::regclass::text as name,
          format('%s.%I', a.attrelid::regclass, a.attname) as column,
          format_type(a.atttypid, a.atttypmod) as type,
          coalesce(s.last_value, 0)::float8 / least(s.max_value, case a.atttypid
            when 'int2'::regtype then 32767 when 'int4'::regtype then 2147483647 else s.max_value
          end) as share
        from pg_class as c
        join pg_depend as d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
        join pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        join pg_namespace as n on n.oid = c.relnamespace
        join pg_sequences as s on s.schemaname = n.nspname and s.sequencename = c.relname
        where c.relkind = 'S' and d.refobjid in (select to_regclass(name) from unnest($1::text[]) as name)
        order by share desc`,
        [tables],
      )
      return {
        figure: rows.map(({ column, share }) => `${column} ${percent(share)}`).join(', '),
        findings: over(rows, ({ share }) => share, limits.sequenceShare, ({ name, column, share, type }) => ({
          code: 'sequence_near_its_end',
          subject: name,
          what: `${name} has used ${percent(share)} of the numbers of ${column} (${type})`,
          remedy: 'widen the column and the columns that reference it to bigint, step by step: make new name=widen_<column>',
        })),
      }
    },
  },
]

interface Vacuumed {
  readonly name: string
  readonly owner: string
  readonly live: number
  readonly dead: number
  readonly vacuumed: number | null
  readonly is_unknown: boolean
}
