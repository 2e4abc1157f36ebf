import { CompiledQuery } from 'kysely'
import type { Kysely } from 'kysely'
import { apps, asUser, createClient, createPool, createServiceClient, parseUserId, queue } from '../../../db/index.ts'
import type { DB, UserId } from '../../../db/index.ts'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { step } from '../../core/progress.ts'
import { millisecondsOf, ratio, rounds, show, spread } from '../compare.ts'
import type { Result, Suite } from '../compare.ts'
import { createMigrated, loginAs } from '../database.ts'
import type { BenchServer } from '../../postgres/bench-server.ts'

const users = 10_000
const appsEach = 100
const usersPerRound = 400

/** Measures the cost of row security, of setting the identity and of this package for a list of a user. */
export async function benchmarkLists(server: BenchServer): Promise<Suite> {
  const target = await step(`preparing ${(users * appsEach) / 1000}k apps`, () => prepare(server))
  const ids = await withClient(target, async (client) => {
    const { rows } = await client.query<{ id: string }>('select id from auth.users order by id limit $1', [usersPerRound])
    return rows.map(({ id }) => parseUserId(id))
  })
  const apiLogin = await loginAs(server, target, 'leo_api')
  const api = createPool({ ...apiLogin, max: 1 })
  const owner = createPool({ ...target.pg, max: 1 })
  const workerPool = createPool({ ...(await loginAs(server, target, 'leo_worker')), max: 1 })
  const worker = createServiceClient(workerPool)
  const logged: CompiledQuery[] = []
  const ownerDb = createClient(owner)
  const db = createClient(api, { log: ({ query }) => void logged.push(query) })

  try {
    await asUser(db, ids[0]!, (trx) => apps.list(trx))
    const { sql: text, parameters } = logged.find((query) => query.sql.includes('from apps'))!
    const withWhere = text.replace('where', `where user_id = $${parameters.length + 1} and`)

    const inServer = await step('listing in the server', () =>
      rounds(9, {
        policy: () => average(ids, (id) => asUser(db, id, (trx) => executionTime(trx, text, parameters))),
        where: () => average(ids, (id) => executionTime(ownerDb, withWhere, [...parameters, id])),
      }),
    )
    const endToEnd = await step('listing from a service', () =>
      rounds(9, {
        asUser: () => perCall(ids, (id) => asUser(db, id, (trx) => apps.list(trx))),
        where: () => perCall(ids, (id) => owner.query(withWhere, [...parameters, id])),
      }),
    )
    const newest = newestOf(worker, ids[0]!).compile().sql
    const lease = { id: 1 as never, attempt: 1 }
    const ours = await step('calling the package and pg', () =>
      rounds(9, {
        hot: () => perCall(ids, () => queue.heartbeat(worker, lease)),
        hotThroughPg: () =>
          perCall(ids, () =>
            workerPool.query(`select private.prolong_generation_lease($1, $2, $3::float8 * interval '1 millisecond') as expires_at`, [1, 1, 60_000]),
          ),
        built: () => perCall(ids, (id) => newestOf(worker, id).execute()),
        builtThroughPg: () => perCall(ids, (id) => workerPool.query(newest, [id, 20])),
      }),
    )
    const line = (what: string, against: string, mine: number[], theirs: number[], unit: string, aim: number): Result => ({
      what,
      against,
      figures: `${show(spread(mine), 3)} against ${show(spread(theirs), 3)} ${unit}`,
      ratio: ratio(mine, theirs),
      aim: { is: 'at most', value: aim },
    })
    return {
      name: 'lists',
      title: 'Lists and calls',
      explanation:
        `20 of a user's ${appsEach} apps, ${(users * appsEach) / 1e6}M apps in the table, ` +
        `${usersPerRound} users per round, one connection.`,
      results: [
        line('apps.list under row security, in the server', 'as owner with a WHERE', inServer.policy, inServer.where, 'ms', 1.1),
        line('apps.list in asUser, end to end', 'pg as owner with a WHERE', endToEnd.asUser, endToEnd.where, 'ms', 2),
        line('a query built by Kysely', 'its SQL through pg', ours.built, ours.builtThroughPg, 'ms', 1.25),
        line('a hot query, compiled once', 'its SQL through pg', ours.hot, ours.hotThroughPg, 'ms', 1.1),
      ],
    }
  } finally {
    await Promise.all([api.end(), owner.end(), workerPool.end()])
    await server.drop('bench_lists')
  }
}

const newestOf = (db: Kysely<DB>, id: UserId) =>
  db
    .selectFrom('apps')
    .select(['id', 'app_name', 'created_at'])
    .where('user_id', '=', id)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(20)

/** The execution time that EXPLAIN reports in milliseconds, without planning and the round trip. */
async function executionTime(db: Kysely<DB>, text: string, parameters: readonly unknown[]): Promise<number> {
  const explain = CompiledQuery.raw(`explain (analyze, timing off, format json) ${text}`, [...parameters])
  const { rows } = await db.executeQuery<{ 'QUERY PLAN': [{ 'Execution Time': number }] }>(explain)
  return rows[0]!['QUERY PLAN'][0]['Execution Time']
}

async function average(ids: readonly UserId[], measure: (id: UserId) => Promise<number>): Promise<number> {
  let sum = 0
  for (const id of ids) sum += await measure(id)
  return sum / ids.length
}

async function perCall(ids: readonly UserId[], call: (id: UserId) => Promise<unknown>): Promise<number> {
  const took = await millisecondsOf(async () => {
    for (const id of ids) await call(id)
  })
  return took / ids.length
}

async function prepare(server: BenchServer): Promise<Target> {
  const target = await createMigrated(server, 'bench_lists', users)
  await withClient({ ...target, pg: { ...target.pg, user: server.admin.pg.user } }, async (client) => {
    await client.query('set session_replication_role = replica')
    await client.query(
      `insert into apps (user_id, app_name, created_at)
       select u.id, 'App ' || n, timestamptz '2026-01-01' + n * interval '1 hour'
       from generate_series(1, $1::int) as n cross join auth.users as u`,
      [appsEach - 1],
    )
    await client.query('vacuum analyze apps')
  })
  return target
}
