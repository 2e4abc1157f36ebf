import { over, type Check, type CheckContext } from './check.ts'
import { plural, span } from '../../core/text.ts'

const queueIndex = 'public.generation_requests_priority_queue_at_id_queued_idx'

const notThereYet = { figure: 'not there yet', findings: [] } as const

// Times are subtracted as seconds, because PostgreSQL before 17 cannot subtract infinite timestamps.
export const queueChecks: readonly Check[] = [
  {
    name: 'queue',
    looksAt: 'the waiting time of the generation that is due longest, read through the index of queued generations',
    async examine({ query, limits }) {
      // Without the index this query would read the whole table. The index contains all columns of the query.
      const index = await query(`select from pg_index where indexrelid = to_regclass($1) and indisvalid`, [queueIndex])
      if (index.length === 0) return { figure: 'its index is missing', findings: [] }
      const rows = await query<{ queued: number; due: number; seconds: number | null }>(
        `select
          count(*)::int as queued,
          count(*) filter (where queue_at <= now())::int as due,
          extract(epoch from now())::float8 - extract(epoch from min(queue_at))::float8 as seconds
        from (
          select queue_at from public.generation_requests
          where status = 'queued'
          order by priority desc, queue_at, id
          limit $1
        ) as r`,
        [limits.rowsRead],
      )
      const more = rows[0]?.queued === limits.rowsRead ? ' or more' : ''
      return {
        figure: rows.map(({ queued, due }) => `${queued}${more} queued, ${due} due`).join(),
        findings: over(rows, ({ seconds }) => seconds ?? 0, limits.queueAge, ({ due, seconds }) => ({
          code: 'queue_late',
          subject: 'public.generation_requests',
          what: `${plural(due, 'generation')} should have been claimed, the first one ${span(seconds ?? 0)} ago`,
          remedy: 'check whether workers run and claim; start more of them',
        })),
      }
    },
  },
  {
    name: 'leases',
    looksAt: 'leases that have expired, and those whose generation has moved on without them',
    async examine({ query, limits }) {
      if (!(await hasLeases(query))) return notThereYet
      const rows = await query<{ kind: 'live' | 'dead' | 'stale'; count: number; ids: string; seconds: number }>(`
        select
          kind,
          count(*)::int as count,
          max(seconds) as seconds,
          array_to_string((array_agg(id order by id))[:5], ', ') || repeat(' …', (count(*) > 5)::int) as ids
        from (
          select
            r.id,
            extract(epoch from now())::float8 - extract(epoch from l.expires_at)::float8 as seconds,
            case
              when l.expires_at > now() then 'live'
              when r.status <> 'generating' or r.attempt <> l.attempt then 'stale'
              else 'dead'
            end as kind
          from private.generation_leases as l
          join public.generation_requests as r on r.user_id = l.user_id and r.id = l.generation_request_id
        ) as leases
        group by kind`)
      const of = (kind: 'live' | 'dead' | 'stale') => rows.filter((row) => row.kind === kind)
      return {
        figure: `${of('live')[0]?.count ?? 0} live`,
        findings: [
          ...over(of('dead'), ({ seconds }) => seconds, limits.leaseOverdue, ({ count, ids, seconds }) => ({
            code: 'lease_expired',
            subject: ids,
            what: `${plural(count, 'lease')} expired, the first ${span(seconds)} ago: the workers of ${ids} have stopped`,
            remedy: requeue,
          })),
          ...of('stale').map(({ count, ids }) => ({
            code: 'lease_stale',
            severity: 'warn' as const,
            subject: ids,
            what: `${plural(count, 'lease')} of generations that are not at that attempt any more: ${ids}`,
            remedy: dropStale,
          })),
        ],
      }
    },
  },
  {
    name: 'generations without a lease',
    // No index covers running generations. They are among the newest rows; a fixed number of these is read.
    looksAt: 'running generations without a lease among the newest ones: no expiry will free them',
    async examine({ query, limits }) {
      if (!(await hasLeases(query))) return notThereYet
      const rows = await query<{ generating: number; stranded: number; ids: string | null }>(
        `select
          count(*)::int as generating,
          count(*) filter (where l.worker is null)::int as stranded,
          array_to_string((array_agg(r.id order by r.id) filter (where l.worker is null))[:5], ', ') as ids
        from (
          select id, user_id, status from public.generation_requests order by id desc limit $1
        ) as r
        left join private.generation_leases as l on l.user_id = r.user_id and l.generation_request_id = r.id
        where r.status = 'generating'`,
        [limits.rowsRead],
      )
      return {
        figure: `${rows[0]?.generating ?? 0} generating`,
        findings: rows
          .filter(({ stranded }) => stranded > 0)
          .map(({ stranded, ids }) => ({
            code: 'generation_without_lease',
            severity: 'bad',
            subject: ids ?? '',
            what: `${plural(stranded, 'generation')} without a lease: ${ids}${stranded > 5 ? ' …' : ''}`,
            remedy: `update public.generation_requests set status = 'queued' where id in (${ids});`,
          })),
      }
    },
  },
]

const hasLeases = async (query: CheckContext['query']): Promise<boolean> =>
  (await query(`select where to_regclass('private.generation_leases') is not null`)).length > 0

/** Requeues only the attempt that the lease belongs to: another worker may have taken over the generation. */
const requeue = 'select * from private.requeue_expired_generations();'

const dropStale =
  'delete from private.generation_leases as l using public.generation_requests as r ' +
  'where r.user_id = l.user_id and r.id = l.generation_request_id ' +
  "and (r.status <> 'generating' or r.attempt <> l.attempt);"
