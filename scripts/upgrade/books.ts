import type pg from 'pg'
import type { VerifyFinding } from '../schema/verify/finding.ts'

/**
 * Reconciles the row counts of the upgrade, for the rows up to the cut-off that expand recorded
 * (db/migrations/…_record_changes_of_old_rows.sql): counted + arrived late = migrated + quarantined + deleted since, and
 * the same for the sums of their fingerprints. Files are compared only for a sample of snapshots.
 */

/** Row counts of one table up to the cut-off. `drift` is the difference in the sums of the fingerprints. */
export interface Balance {
  readonly table: string
  readonly lastId: number
  readonly counted: number | null
  readonly arrived: number
  readonly migrated: number
  readonly quarantined: number
  readonly deleted: number
  readonly rewritten: number
  readonly mended: number
  readonly repaired: number
  readonly inBoth: number
  readonly drift: string
}

export interface BooksOptions {
  /** Reads the files of all snapshots completely. */
  readonly deep?: boolean
  readonly report?: (read: number) => void
}

export async function examineBooks(client: pg.Client, { deep = false, report }: BooksOptions = {}): Promise<VerifyFinding[]> {
  const balances = await readBalances(client)
  return [
    ...balances.flatMap(judge),
    ...(await compareLog(client, balances)),
    ...(await compareSamples(client)),
    ...(deep ? await readFiles(client, report) : []),
  ]
}

function describe({ table, lastId, counted, arrived, migrated, quarantined, deleted, rewritten, mended, repaired }: Balance): string {
  const also = Object.entries({ 'arrived late': arrived, rewritten, 'corrected': mended, 'repaired in quarantine': repaired })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `, ${count} ${what}`)
  return (
    `${table} up to id ${lastId}: ${counted ?? 'not counted'} before = ` +
    `${migrated} migrated + ${quarantined} quarantined + ${deleted} deleted since${also.join('')}`
  )
}

export async function readBalances(client: pg.Client): Promise<Balance[]> {
  const { rows: tables } = await client.query<{ table_name: string; fingerprint_of: string }>(
    'select table_name, fingerprint_of from private.upgrade_counts order by table_name',
  )
  const balances: Balance[] = []
  for (const { table_name: table, fingerprint_of: fingerprint } of tables) {
    // One statement, so that all counts use one snapshot: rows are inserted and deleted concurrently.
    const { rows } = await client.query<Record<string, string | null>>(
      `
      select
        c.last_id, c.row_count as counted, live.n as migrated, q.n as quarantined, q.in_both, changes.*,
        live.sum + q.sum - coalesce(c.fingerprint, 0) - changes.sum as drift
      from private.upgrade_counts as c
      cross join lateral (
        select count(*) as n, coalesce(sum(${fingerprint}), 0) as sum from public.${table} as r where r.id <= c.last_id
      ) as live
      cross join lateral (
        select
          count(*) as n,
          coalesce(sum((select ${fingerprint} from jsonb_populate_record(null::public.${table}, k.content) as r)), 0) as sum,
          count(*) filter (where exists (select from public.${table} as there where there.id = k.row_id)) as in_both
        from private.quarantine as k
        where k.table_name = c.table_name and k.row_id <= c.last_id
      ) as q
      cross join lateral (
        select
          coalesce(sum(h.fingerprint), 0) as sum,
          count(*) filter (where h.change = 'arrived') as arrived,
          count(*) filter (where h.change = 'deleted') as deleted,
          count(distinct h.row_id) filter (where h.change = 'rewritten') as rewritten,
          count(distinct h.row_id) filter (where h.change = 'mended') as mended,
          count(distinct h.row_id) filter (where h.change = 'repaired') as repaired
        from private.upgrade_changes as h
        where h.table_name = c.table_name
      ) as changes
      where c.table_name = $1`,
      [table],
    )
    const row = rows[0]!
    const number = (name: string): number => Number(row[name])
    balances.push({
      table,
      lastId: number('last_id'),
      counted: row['counted'] === null ? null : number('counted'),
      arrived: number('arrived'),
      migrated: number('migrated'),
      quarantined: number('quarantined'),
      deleted: number('deleted'),
      rewritten: number('rewritten'),
      mended: number('mended'),
      repaired: number('repaired'),
      inBoth: number('in_both'),
      drift: row['drift'] ?? '0',
    })
  }
  return balances
}

function judge(balance: Balance): VerifyFinding[] {
  const { table, counted, arrived, migrated, quarantined, deleted, inBoth, drift } = balance
  const finding = (code: string, what: string, isKnown = false): VerifyFinding => ({ code, object: `public.${table}`, what, isKnown })
  if (counted === null) return [finding('not_counted', `${table} was not counted at expand`)]
  const rest = counted + arrived - migrated - quarantined - deleted
  if (rest > 0) {
    return [finding('rows_missing', `${rest} rows are in neither the table nor quarantine, and no deletion of them is recorded`)]
  }
  if (rest < 0) return [finding('rows_too_many', `${-rest} rows more than were counted`)]
  if (inBoth > 0) return [finding('rows_in_both', `${inBoth} rows are in the table and in quarantine`)]
  if (drift !== '0') {
    const what = 'an old row has another owner, app, name, kind, time or length than before, and no write of it is recorded'
    return [finding('values_changed', what)]
  }
  return counted === 0 ? [] : [finding('balance', describe(balance), true)]
}

/** The only fingerprinted columns that the upgrade corrects are missing times. Each correction must be in the log. */
async function compareLog(client: pg.Client, balances: readonly Balance[]): Promise<VerifyFinding[]> {
  const { rows } = await client.query<{ table_name: string; count: string }>(`
    select h.table_name, count(distinct h.row_id) as count
    from private.upgrade_changes as h
    where h.change = 'mended' and not exists (
      select from private.migration_log as l
      where l.table_name = h.table_name and l.row_id = h.row_id and l.column_name in ('created_at', 'timestamp')
    )
    -- Deleting a user also deletes the log entries; the rows are deleted, too, or in quarantine.
    and not exists (
      select from private.upgrade_changes as gone
      where gone.table_name = h.table_name and gone.row_id = h.row_id and gone.change = 'deleted'
    )
    and not exists (select from private.quarantine as q where q.table_name = h.table_name and q.row_id = h.row_id)
    group by h.table_name`)
  return rows
    .filter(({ table_name }) => balances.some(({ table }) => table === table_name))
    .map(({ table_name, count }) => ({
      code: 'mended_unlogged',
      object: `public.${table_name}`,
      what: `${count} rows were corrected without an entry in private.migration_log`,
      isKnown: false,
    }))
}

async function compareSamples(client: pg.Client): Promise<VerifyFinding[]> {
  const { rows } = await client.query<{ row_id: number; is_same: boolean }>(`
    select p.row_id, coalesce(md5(coalesce(s.files_snapshot, q.content ->> 'files_snapshot')) = p.digest, false) as is_same
    from private.upgrade_samples as p
    left join public.iteration_snapshots as s on s.id = p.row_id
    left join private.quarantine as q on q.table_name = 'iteration_snapshots' and q.row_id = p.row_id
    where (s.id is not null or q.id is not null)
      and not exists (
        select from private.upgrade_changes as h
        where h.table_name = 'iteration_snapshots' and h.row_id = p.row_id and h.change in ('rewritten', 'repaired')
      )`)
  const changed = rows
    .filter(({ is_same }) => !is_same)
    .map(({ row_id }): VerifyFinding => ({
      code: 'files_changed',
      object: `public.iteration_snapshots ${row_id}`,
      what: `the files of snapshot ${row_id} have changed`,
      isKnown: false,
    }))
  if (rows.length === 0) return []
  const what = `the files of ${rows.length} snapshots were compared with their digests`
  return [{ code: 'samples', object: 'public.iteration_snapshots', what, isKnown: true }, ...changed]
}

const filesAtOnce = 200

/** A lost TOAST value raises an error only when it is read. A batch that fails is read again row by row. */
async function readFiles(client: pg.Client, report: BooksOptions['report']): Promise<VerifyFinding[]> {
  const findings: VerifyFinding[] = []
  const read = async (first: number, last: number): Promise<string | undefined> => {
    const text = 'select count(md5(files_snapshot)) from public.iteration_snapshots where id between $1 and $2'
    return client.query(text, [first, last]).then(() => undefined, (error: unknown) => {
      if ((error as pg.DatabaseError).code === undefined) throw error
      return (error as pg.DatabaseError).code
    })
  }
  let done = 0
  for (let last = -2147483649; ; ) {
    const { rows } = await client.query<{ id: number }>(
      'select id from public.iteration_snapshots where id > $1::bigint order by id limit $2',
      [last, filesAtOnce],
    )
    if (rows.length === 0) return findings
    const first = rows[0]!.id
    last = rows.at(-1)!.id
    if ((await read(first, last)) !== undefined) {
      for (const { id } of rows) {
        const code = await read(id, id)
        if (code === undefined) continue
        const what = `the files of snapshot ${id} cannot be read (${code})`
        findings.push({ code: 'files_unreadable', object: `public.iteration_snapshots ${id}`, what, isKnown: false })
      }
    }
    done += rows.length
    report?.(done)
  }
}
