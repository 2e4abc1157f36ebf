import t from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { readCatalog } from '../../scripts/schema/catalog/read.ts'
import { diffCatalogs } from '../../scripts/schema/compare/compare.ts'
import { remainingHunks } from '../../scripts/schema/compare/hunks.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createSupabaseDatabase } from '../../scripts/postgres/supabase.ts'
import {
  baseSchema, casesByKind, casesFor, dropAndAdds, renames, type Case,
} from '../schema/fixtures/diff_corpus/index.ts'
import { clusterAdmin, loginTo } from '../fixtures/server.ts'

/** Dump entries that the catalog comparison does not cover: it reports the object, and only the dump has its content. */
const dumpOnly: Readonly<Record<string, readonly string[]>> = {
  'text search configuration added': ['TEXT SEARCH CONFIGURATION public.plain'],
}

const schemas = ['public', 'private', 'billing', 'internal']
const admin = clusterAdmin()
const [base, head] = ['diff_base', 'diff_head']

t.setTimeout(15 * 60_000)
await createSupabaseDatabase(admin, base)
t.teardown(() => withClient(admin, async (client) => {
  for (const name of [base, head]) await client.query(`drop database if exists ${name} with (force)`)
}))
await withClient(loginTo(base, 'postgres'), (client) => client.query(baseSchema))
const catalog = await withClient(clusterAdmin(base), readCatalog)
const dump = await dumpSchema(loginTo(base, 'postgres'), { schemas })

/** Creates the head database as a clone of base with the change committed, because pg_dump sees committed changes only. */
async function createHead({ sql, asSuperuser }: Case): Promise<void> {
  await withClient(admin, async (client) => {
    await client.query(`drop database if exists ${head} with (force)`)
    await client.query(`create database ${head} template ${base} owner postgres`)
  })
  await withClient(asSuperuser ? clusterAdmin(head) : loginTo(head, 'postgres'), (client) => client.query(sql))
}

for (const [title, cases] of Object.entries({ ...casesByKind, renames, 'drops and adds': dropAndAdds })) {
  t.test(`${title}: the reported changes cover every difference of the dumps`, async (t) => {
    const { rows } = await withClient(admin, (client) => client.query('show server_version_num'))
    // Roles are shared by the cluster, and the owner of the schema cannot dump objects of another owner.
    const major = Number(rows[0].server_version_num) / 10_000
    const own = casesFor(major, cases).filter(({ sql }) => !/ role | owner to /.test(sql))
    for (const one of own) {
      await createHead(one)
      const changes = diffCatalogs(catalog, await withClient(clusterAdmin(head), readCatalog), 'id')
      const other = await dumpSchema(loginTo(head, 'postgres'), { schemas })
      const left = remainingHunks(dump, other, changes)
      t.strictSame(left.map(({ entry }) => entry), dumpOnly[one.title] ?? [], one.title)
      const all = remainingHunks(dump, other, [])
      t.equal(all.length > 0, dump !== other, `${one.title}: without changes, every difference of the dumps remains`)
    }
  })
}
