import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import process from 'node:process'
import t from 'tap'
import { isReadable, serverUser } from '../../db/testing/binaries.ts'
import { commandLine } from '../../db/testing/claims.ts'
import { root } from '../../db/testing/paths.ts'
import { temporaryFolder } from '../fixtures/temporary_folder.ts'
import { assertGone, spawnConsumer, postmasterIn, serversIn, start, stay, until } from '../testing/fixtures/testing.ts'

t.setTimeout(600_000)

const use = `${start}; const db = await testing.createTestDatabase(server); await db.signUp(); console.log('')`

for (const { title, script, end } of [
  { title: 'ends without stopping it', script: use },
  { title: 'fails', script: `${use}; throw new Error('on purpose')` },
  { title: 'is killed while it starts', script: `console.log(''); ${start}`, end: (pid: number) => process.kill(pid, 'SIGKILL') },
  { title: 'is interrupted with its group', script: `${start}; ${stay}`, end: (pid: number) => process.kill(-pid, 'SIGINT') },
]) {
  t.test(`a server and its files are removed when the process that started it ${title}`, (t) => assertGone(t, script, end))
}

t.test('the next start removes the server of a killed keeper process', async (t) => {
  const folder = temporaryFolder(t)
  const child = spawnConsumer(`${start}; ${stay}`, { TMPDIR: folder })
  await once(child.stdout, 'data')
  const [server = ''] = serversIn(folder)
  const postmaster = postmasterIn(folder)
  process.kill(Number(server.split('-').at(-2)), 'SIGKILL')
  t.match(commandLine(postmaster), '/postgres')

  const next = spawnConsumer(`${start}; ${stay}`, { TMPDIR: folder })
  await once(next.stdout, 'data')
  t.equal(commandLine(postmaster), '')
  t.notOk(serversIn(folder).includes(server))
  child.kill('SIGKILL')
  next.kill('SIGKILL')
  await until(() => serversIn(folder).length === 0)
})

const otherUser = serverUser()
t.test('a user other than root can start a server', { skip: !otherUser || !isReadable(root, otherUser) }, async (t) => {
  const folder = temporaryFolder(t)
  chmodSync(folder, 0o777)
  const child = spawnConsumer(`${start}; await server.stop(); console.log('stopped')`, { TMPDIR: folder }, otherUser)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  t.equal(line.toString(), 'stopped\n')
  t.strictSame(serversIn(folder), [])
})
