import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { runLeo } from '../fixtures/command.ts'
import { cloneDatabase, createLegacyDatabase, expand, insertRequest, signUp } from './fixtures/legacy.ts'
import { clusterAdmin } from '../fixtures/server.ts'

t.setTimeout(900_000)

const legacy = await createLegacyDatabase(t)
await legacy.owner.query('drop schema dbmate cascade')
const [ada, grace] = [await signUp(legacy.owner), await signUp(legacy.owner)]
const contested = randomUUID()
for (const user_id of [ada, grace]) await insertRequest(legacy.owner, { user_id, app_id: contested })
const set = (name: string, setting: string) => withClient(clusterAdmin(), (admin) => admin.query(`alter database ${name} set ${setting}`))

t.test('adopt says which answer make migrate waits for', async (t) => {
  await set(legacy.name, `timezone = 'Europe/Berlin'`)
  const asked = /the server is in Europe\/Berlin; before make migrate, .*: make adopt time_zone=Europe\/Berlin/
  t.match(await runLeo(legacy, 'adopt', ['--dry']), { code: 0, stdout: asked })
  t.match(await runLeo(legacy, 'adopt', []), { code: 0, stdout: asked })
  const answered = await runLeo(legacy, 'adopt', ['--time-zone=UTC'])
  t.equal(answered.code, 0, answered.stderr)
  t.notMatch(answered.stdout, asked)
  t.notMatch((await runLeo(legacy, 'adopt', [])).stdout, asked, 'the answer is recorded')
  await set(legacy.name, `timezone = 'UTC'`)
})

t.test('backfill', async (t) => {
  const live = await cloneDatabase(t, legacy)
  await expand(live)
  const folder = await mkdtemp(join(tmpdir(), 'leo-owners-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const owners = async (text: string): Promise<string> => {
    await writeFile(join(folder, 'owners.csv'), text)
    return `--owners=${join(folder, 'owners.csv')}`
  }

  await set(live.name, 'default_transaction_read_only = on')
  for (const args of [[], [await owners(`${contested},${ada}\n`)]]) {
    const readOnly = await runLeo(live, 'backfill', args)
    t.match(readOnly, { code: 1, stderr: /^error: .*\(25006\) — the database is read-only.*\n$/ }, 'a read-only database')
  }
  await set(live.name, 'default_transaction_read_only = off')

  const url = new URL(live.target.dbmateUrl)
  url.port = '6543'
  const pooled = await runLeo(live, 'backfill', [], { DATABASE_URL: url.href })
  t.match(pooled, { code: 1, stderr: /^error: .*:6543 is a transaction pooler/ }, 'a transaction pooler')

  t.match(await runLeo(live, 'backfill', [await owners('app_id,user\n')]), { code: 1, stderr: /owners\.csv: .*no line was recorded/ })
  t.match(await runLeo(live, 'backfill', ['--old-writers=here']), { code: 1, stderr: /^error: --old-writers=here is invalid — it is one of gone\n$/ })
  const done = await runLeo(live, 'backfill', [await owners(`\ufeffapp_id,user_id\r\n# a comment\r\n\r\n${contested}, ${ada}\r\n`)])
  t.match(done, { code: 0, stdout: /next: stop the writers of the previous schema, then make backfill old_writers=gone/ }, done.stderr)
  const { rows } = await live.owner.query('select user_id from private.upgrade_owners where app_id = $1', [contested])
  t.strictSame(rows, [{ user_id: ada }], 'a header, a comment, an empty line and CRLF')
})
