/**
 * Code that must not compile. The compiler, which runs before the tests, reports an `@ts-expect-error` whose line
 * compiles. The functions are never called.
 */
import type { Kysely, Transaction } from 'kysely'
import t from 'tap'
import * as enums from '../../types/enums.ts'
import {
  apps,
  asUser,
  cleanups,
  config,
  costs,
  parseAppId,
  parseUserId,
  profiles,
  snapshots,
  supabase_projects,
} from '../../db/index.ts'
import type {
  DB,
  GenerationId,
  New,
  SealedSecret,
  ServiceDatabase,
  ServiceTransaction,
  UserId,
  UserTransaction,
} from '../../db/index.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'

declare const db: Kysely<DB>
declare const plain: Transaction<DB>
declare const asAda: UserTransaction
declare const serviceDb: ServiceDatabase
declare const serviceTrx: ServiceTransaction
declare const userId: UserId
declare const generationId: GenerationId
const appId = parseAppId('00000000-0000-4000-8000-000000000000')

const contract = [
  async function callers() {
    await apps.list(asAda)
    // @ts-expect-error a query that relies on row security requires a user's transaction
    await apps.list(db)
    // @ts-expect-error
    await apps.list(plain)
    // @ts-expect-error a service's transaction is not a user's
    await apps.list(serviceTrx)

    await config.find(serviceDb, 'key')
    await config.find(serviceTrx, 'key')
    // @ts-expect-error the service's queries are not for users
    await config.find(asAda, 'key')
    // @ts-expect-error
    await cleanups.claim(asAda, { worker: 'w' })
    // @ts-expect-error
    await supabase_projects.allocate(db, { app_id: appId })
    // @ts-expect-error
    await costs.insert(plain, { user_id: userId, kind: 'other', idempotency_key: 'k' })

    await profiles.get(asAda, userId)
    await profiles.get(serviceDb, userId)
    // @ts-expect-error a query for users and services does not accept a plain connection
    await profiles.get(db, userId)
    // @ts-expect-error a service has to name the user
    await costs.listEntries(serviceDb, {})
  },

  async function idTypes() {
    await asUser(db, parseUserId('x'), (trx) => apps.list(trx))
    // @ts-expect-error a string is not a user id
    await asUser(db, 'x', (trx) => apps.list(trx))
    // @ts-expect-error
    await profiles.get(serviceDb, appId)
    // @ts-expect-error
    await apps.get(asAda, userId)
    // @ts-expect-error
    await snapshots.get(serviceDb, { user_id: userId, snapshot_id: generationId })
    // @ts-expect-error
    await snapshots.list(serviceDb, { user_id: userId, generation_request_id: 7 })
    // @ts-expect-error
    db.selectFrom('apps').select('id').where('id', '=', userId)
  },

  async function moneyTypes() {
    await costs.insert(serviceDb, { user_id: userId, kind: 'other', idempotency_key: 'k', cost_micros: 5n })
    // @ts-expect-error a number would lose precision
    await costs.insert(serviceDb, { user_id: userId, kind: 'other', idempotency_key: 'k', cost_micros: 5 })
    const { cost_micros } = await costs.sumOfUser(asAda, userId)
    cost_micros satisfies bigint
    // @ts-expect-error
    cost_micros satisfies number
  },

  function writableColumns() {
    const request = { user_id: userId, app_id: appId, prompt: 'p', mode: 'autonomous' } as const
    db.insertInto('generation_requests').values(request)
    // @ts-expect-error not a mode
    db.insertInto('generation_requests').values({ ...request, mode: 'yolo' })
    // @ts-expect-error the user of a generation cannot change
    db.updateTable('generation_requests').set({ user_id: userId })
    // @ts-expect-error
    db.updateTable('generation_requests').set({ app_id: appId })
    // @ts-expect-error only the allocating function writes it
    db.insertInto('apps').values({ user_id: userId, app_name: 'a', supabase_project_ref: 'ref' })
    // @ts-expect-error only functions write the count
    db.updateTable('supabase_projects').set({ used: 7 })
    // @ts-expect-error the database generates it
    ;({ month: new Date() }) satisfies Partial<New<'generation_costs'>>
    // @ts-expect-error a view
    db.updateTable('generation_costs_by_user').set({ entries: 1n })
    const secret = { user_id: userId, provider: 'github' }
    db.insertInto('user_secrets').values({ ...secret, encrypted_token: 'leo1.x' as SealedSecret })
    // @ts-expect-error a token that is not sealed
    db.insertInto('user_secrets').values({ ...secret, encrypted_token: 'gho_plain' })
    // @ts-expect-error tables have columns, and columns a name and a type
    ;({ books: { columns: [{ name: 'title' }] } }) satisfies New<'schema_snapshots'>['tables']
  },

  async function readableResults() {
    const { apps: mine } = await apps.list(asAda)
    // @ts-expect-error the column is not selected
    mine[0]?.user_id
    // @ts-expect-error the outcome has to be checked first
    ;(await apps.create(asAda, { app_name: 'a' })).app
    // @ts-expect-error the text of all files is not selected
    ;(await snapshots.get(serviceDb, { user_id: userId, snapshot_id: 1 as never })).files_snapshot
  },
]

t.test('invalid code does not compile', async (t) => t.equal(contract.length, 5))

t.test('each enum array has the values of the database, in the same order', async (t) => {
  const test = await createMigratedDatabase(t)
  const { rows } = await test.owner.query<{ name: string; labels: string[] }>(
    `select t.typname as name, array_agg(e.enumlabel::text order by e.enumsortorder) as labels
     from pg_enum as e join pg_type as t on t.oid = e.enumtypid
     where t.typnamespace = 'public'::regnamespace group by t.typname`,
  )
  // generation_status → generationStatuses
  const arrayOf = (name: string): string =>
    `${name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()).replace(/s$/, 'se')}s`.replace(
      /ys$/,
      'ies',
    )
  t.strictSame({ ...enums }, Object.fromEntries(rows.map(({ name, labels }) => [arrayOf(name), labels])))
})
