/**
 * What must not compile: an `@ts-expect-error` whose line does compile is an error of the compiler, which runs before
 * the tests. The functions are never called.
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
  async function whoMayCallWhat() {
    await apps.list(asAda)
    // @ts-expect-error a query that leans on row security wants a user's transaction
    await apps.list(db)
    // @ts-expect-error
    await apps.list(plain)
    // @ts-expect-error nor is the service a user
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
    // @ts-expect-error what is for both is not for anybody
    await profiles.get(db, userId)
    // @ts-expect-error and names the user
    await costs.listEntries(serviceDb, {})
  },

  async function whatIsAnId() {
    await asUser(db, parseUserId('x'), (trx) => apps.list(trx))
    // @ts-expect-error a text is no user's id
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

  async function whatMoneyIs() {
    await costs.insert(serviceDb, { user_id: userId, kind: 'other', idempotency_key: 'k', cost_micros: 5n })
    // @ts-expect-error a number would lose precision
    await costs.insert(serviceDb, { user_id: userId, kind: 'other', idempotency_key: 'k', cost_micros: 5 })
    const { cost_micros } = await costs.sumOfUser(asAda, userId)
    cost_micros satisfies bigint
    // @ts-expect-error
    cost_micros satisfies number
  },

  function whatCanBeWritten() {
    const request = { user_id: userId, app_id: appId, prompt: 'p', mode: 'autonomous' } as const
    db.insertInto('generation_requests').values(request)
    // @ts-expect-error no such mode
    db.insertInto('generation_requests').values({ ...request, mode: 'yolo' })
    // @ts-expect-error a generation stays its user's
    db.updateTable('generation_requests').set({ user_id: userId })
    // @ts-expect-error
    db.updateTable('generation_requests').set({ app_id: appId })
    // @ts-expect-error only the function that allocates one writes it
    db.insertInto('apps').values({ user_id: userId, app_name: 'a', supabase_project_ref: 'ref' })
    // @ts-expect-error a count that only functions keep
    db.updateTable('supabase_projects').set({ used: 7 })
    // @ts-expect-error the database reckons it
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

  async function whatCannotBeRead() {
    const { apps: mine } = await apps.list(asAda)
    // @ts-expect-error the columns are listed, and this is none of them
    mine[0]?.user_id
    // @ts-expect-error an outcome has to be looked at
    ;(await apps.create(asAda, { app_name: 'a' })).app
    // @ts-expect-error a text of files is nobody's business
    ;(await snapshots.get(serviceDb, { user_id: userId, snapshot_id: 1 as never })).files_snapshot
  },
]

t.test('what must not compile does not', async (t) => t.equal(contract.length, 5))

t.test('the values of each enum are those of the database, in its order', async (t) => {
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
