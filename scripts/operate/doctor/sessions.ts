import { over, type Check } from './check.ts'
import { percent, plural, size, span } from '../../core/text.ts'

/**
 * Identifies a session. Does not contain its query, which may contain data, but only the first word of the query, and
 * only if that is a command: a client may have sent other text by mistake.
 */
interface Session {
  readonly pid: number
  readonly user: string
  readonly application: string
  readonly command: string | null
  readonly seconds: number
}

const commands =
  'select|insert|update|delete|merge|with|copy|call|do|alter|create|drop|truncate|vacuum|analyze|reindex|refresh|' +
  'lock|begin|commit|rollback|savepoint|release|set|fetch|declare|grant|revoke|comment|cluster|explain|execute'

const session = `
  a.pid,
  coalesce(a.usename, '?') as user,
  coalesce(a.application_name, '') as application,
  lower(substring(a.query from '(?i)^\\s*(${commands})\\M')) as command`

const othersHere = `a.datname = current_database() and a.pid <> pg_backend_pid()`

const nameOf = ({ pid, user, application }: Session): string =>
  `${pid} (${user}${application === '' ? '' : `, ${application}`})`

const terminate = (pid: number): string => `select pg_terminate_backend(${pid});`

export const sessionChecks: readonly Check[] = [
  {
    name: 'connections',
    looksAt: 'the share of max_connections in use, all databases of the server together',
    async examine({ query, limits }) {
      const rows = await query<{ used: number; max: number }>(`
        select count(*)::int as used, current_setting('max_connections')::int as max
        from pg_stat_activity where backend_type = 'client backend'`)
      return {
        figure: rows.map(({ used, max }) => `${used} of ${max}`).join(),
        findings: over(rows, ({ used, max }) => used / max, limits.connectionShare, ({ used, max }) => ({
          code: 'connections_used_up',
          subject: 'max_connections',
          what: `${used} of ${max} connections are in use (${percent(used / max)})`,
          remedy: 'select usename, application_name, state, count(*) from pg_stat_activity group by 1, 2, 3;',
        })),
      }
    },
  },
  {
    name: 'long transactions',
    looksAt: 'long-running transactions: vacuum cannot remove rows that died after they began, and claims slow down',
    async examine({ query, limits }) {
      const rows = await query<Session>(`
        select ${session}, extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds
        from pg_stat_activity as a
        where ${othersHere} and a.backend_type = 'client backend' and a.xact_start is not null
          and a.state not like 'idle in transaction%'
        order by seconds desc`)
      return {
        findings: over(rows, ({ seconds }) => seconds, limits.transaction, (row) => ({
          code: 'transaction_long',
          subject: String(row.pid),
          what: `${nameOf(row)} has been in one transaction for ${span(row.seconds)}, now in ${row.command ?? '?'}`,
          remedy: `select pg_cancel_backend(${row.pid});`,
        })),
      }
    },
  },
  {
    name: 'idle in transaction',
    looksAt: 'sessions that keep a transaction and its locks open while idle',
    async examine({ query, limits }) {
      const rows = await query<Session>(`
        select ${session}, extract(epoch from clock_timestamp() - a.state_change)::float8 as seconds
        from pg_stat_activity as a
        where ${othersHere} and a.state like 'idle in transaction%'
        order by seconds desc`)
      return {
        findings: over(rows, ({ seconds }) => seconds, limits.idleInTransaction, (row) => ({
          code: 'transaction_idle',
          subject: String(row.pid),
          what: `${nameOf(row)} has been idle in a transaction for ${span(row.seconds)}, after ${row.command ?? '?'}`,
          remedy: terminate(row.pid),
        })),
      }
    },
  },
  {
    name: 'blocked sessions',
    looksAt: 'sessions that wait for a lock, and the sessions that hold it',
    async examine({ query, limits }) {
      const rows = await query<Session & { wants: string; relation: string; blockers: readonly number[] }>(`
        select
          ${session},
          extract(epoch from clock_timestamp() - l.waitstart)::float8 as seconds,
          l.mode as wants,
          coalesce(l.relation::regclass::text, l.locktype) as relation,
          pg_blocking_pids(a.pid) as blockers
        from pg_locks as l
        join pg_stat_activity as a on a.pid = l.pid
        where not l.granted and ${othersHere}
        order by seconds desc nulls last`)
      return {
        findings: over(rows, ({ seconds }) => seconds, limits.lockWait, (row) => ({
          code: 'session_blocked',
          subject: String(row.pid),
          what:
            `${nameOf(row)} has waited ${span(row.seconds)} for ${row.wants} ` +
            `on ${row.relation}, behind ${row.blockers.join(', ') || 'a session that has ended'}`,
          remedy: row.blockers.map(terminate).join(' ') || 'run it again',
        })),
      }
    },
  },
  {
    name: 'prepared transactions',
    looksAt: 'prepared transactions that have not ended: they keep their locks over a restart',
    async examine({ query, limits }) {
      const rows = await query<{ gid: string; owner: string; seconds: number }>(`
        select quote_literal(gid) as gid, owner, extract(epoch from clock_timestamp() - prepared)::float8 as seconds
        from pg_prepared_xacts where database = current_database()
        order by seconds desc`)
      return {
        figure: plural(rows.length, 'prepared transaction'),
        findings: over(rows, ({ seconds }) => seconds, limits.preparedTransaction, ({ gid, owner, seconds }) => ({
          code: 'transaction_prepared',
          subject: gid,
          what: `${gid} of ${owner} has been prepared for ${span(seconds)}`,
          remedy: `rollback prepared ${gid};`,
        })),
      }
    },
  },
  {
    name: 'replication slots',
    looksAt: 'slots that make the server keep WAL or dead rows for an absent consumer',
    async examine({ query, limits }) {
      const rows = await query<Slot>(`
        select
          slot_name as name,
          quote_literal(slot_name) as literal,
          active,
          coalesce(wal_status in ('unreserved', 'lost'), false) as is_losing,
          coalesce(pg_wal_lsn_diff(
            case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, restart_lsn
          ), 0)::float8 as retained,
          greatest(coalesce(age(xmin), 0), coalesce(age(catalog_xmin), 0)) as xids
        from pg_replication_slots
        where not temporary and coalesce(database, current_database()) = current_database()
        order by retained desc`)
      const remedy = ({ active, literal }: Slot): string =>
        active ? 'find out why its consumer is slow' : `select pg_drop_replication_slot(${literal});`
      const state = ({ name, active }: Slot): string => `${name} (${active ? 'active' : 'inactive'})`
      return {
        figure: plural(rows.length, 'slot'),
        findings: [
          ...over(rows, (slot) => (slot.is_losing ? Infinity : slot.retained), limits.retainedWal, (slot) => ({
            code: 'slot_retains_wal',
            subject: slot.name,
            what: `${state(slot)} keeps ${size(slot.retained)} of WAL${slot.is_losing ? ', more than it may' : ''}`,
            remedy: remedy(slot),
          })),
          ...over(rows, ({ xids }) => xids, limits.heldBackXids, (slot) => ({
            code: 'slot_holds_back_vacuum',
            subject: slot.name,
            what: `${state(slot)} keeps rows that died in the last ${slot.xids} transactions from vacuum`,
            remedy: remedy(slot),
          })),
        ],
      }
    },
  },
]

interface Slot {
  readonly name: string
  readonly literal: string
  readonly active: boolean
  readonly is_losing: boolean
  readonly retained: number
  readonly xids: number
}
