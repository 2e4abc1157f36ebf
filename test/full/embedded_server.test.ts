import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type Test, test } from 'tap'
import { prepare } from '../../db/testing/binaries.ts'
import { Failure } from '../../scripts/core/failure.ts'
import { locate, throwawayHomes } from '../../scripts/postgres/binaries.ts'
import {
  findIn, removeIn, type Server, startIn, startThrowawayServer, stopIn, superuser,
} from '../../scripts/postgres/server.ts'

const isRoot = process.geteuid?.() === 0

test('the dev server', async (t) => {
  const folder = scratchFolder(t)
  const first = await startIn(folder)
  t.match(first, { created: true, started: true }, 'is made at the first start')
  await query(first.server, 'create table kept as select 42 as answer')

  await t.test('has the settings and the login it promises', async (t) => {
    const [row] = await query(first.server, `
      select current_user as login, rolsuper, current_setting('wal_level') as wal, current_setting('timezone') as zone,
        current_setting('server_encoding') as encoding, current_setting('fsync') as fsync, datcollate
      from pg_roles, pg_database where rolname = current_user and datname = current_database()`)
    t.strictSame(row, {
      login: superuser, rolsuper: true, wal: 'logical', zone: 'UTC', encoding: 'UTF8', fsync: 'on', datcollate: 'C',
    })
    t.equal(statSync(join(folder, 'password')).mode & 0o777, 0o600)
    t.match(new URL(first.server.url('some name')), {
      hostname: '127.0.0.1', username: 'postgres', pathname: '/some%20name', search: '?sslmode=disable',
    })
    const wrong = new URL(first.server.url('postgres', superuser))
    wrong.password = 'wrong'
    await t.rejects(new pg.Client({ connectionString: wrong.href }).connect(), { code: '28P01' })
  })

  await t.test('is found while it runs, and started once', async (t) => {
    t.match(await startIn(folder), { created: false, started: false, server: { port: first.server.port } })
    t.equal((await findIn(folder))?.port, first.server.port)
    t.equal(await findIn(`${folder}/nothing`), undefined)
  })

  await t.test('keeps its data and its port over a restart', async (t) => {
    t.equal(await stopIn(folder), true)
    t.equal(await findIn(folder), undefined)
    t.equal(await stopIn(folder), false)
    const { created, server, started } = await startIn(folder)
    t.strictSame([created, started, server.port], [false, true, first.server.port])
    t.strictSame(await query(server, 'table kept'), [{ answer: 42 }])
  })

  await t.test('takes another port when its own is taken', async (t) => {
    await stopIn(folder)
    const other = createServer().listen(first.server.port, '127.0.0.1')
    await once(other, 'listening')
    t.equal(await findIn(folder), undefined)
    const { server } = await startIn(folder)
    t.not(server.port, first.server.port)
    t.equal((await findIn(folder))?.port, server.port)
    t.strictSame(await query(server, 'table kept'), [{ answer: 42 }])
    other.close()
  })

  await t.test('starts again after kill -9, with a busy backend left behind', async (t) => {
    const { server } = await startIn(folder)
    const client = new pg.Client({ connectionString: server.url('postgres', superuser) })
    client.on('error', () => {})
    await client.connect()
    const busy = t.rejects(client.query('select pg_sleep(60)'))
    await sleep(20)
    process.kill(postmasterPid(folder), 'SIGKILL')
    const restarted = await startIn(folder)
    t.equal(restarted.started, true)
    t.strictSame(await query(restarted.server, 'table kept'), [{ answer: 42 }])
    await busy
  })

  await t.test('is not misled by the pid file of a process that is not its own', async (t) => {
    await stopIn(folder)
    const innocent = spawn('sleep', ['60'])
    writeFileSync(join(folder, 'data/postmaster.pid'), `${innocent.pid}\n${folder}/data\n`)
    t.equal(await findIn(folder), undefined)
    t.equal(await stopIn(folder), false)
    t.equal((await startIn(folder)).started, true)
    t.equal(innocent.exitCode ?? innocent.signalCode, null)
    innocent.kill()
  })

  await t.test('refuses a data folder that it cannot serve, and leaves it alone', async (t) => {
    await stopIn(folder)
    const data = join(folder, 'data')
    writeFileSync(join(data, 'PG_VERSION'), '9.6\n')
    await t.rejects(startIn(folder), { name: 'Failure', message: /9\.6.* 17/, remedy: /make reset/ })
    rmSync(join(data, 'PG_VERSION'))
    await t.rejects(startIn(folder), Failure, 'no PostgreSQL data')
    writeFileSync(join(data, 'PG_VERSION'), '17\n')
    writeFileSync(join(data, 'postgresql.conf'), 'no_such_setting = 1\n')
    await t.rejects(startIn(folder), { name: 'Failure', message: /no_such_setting|configuration file/, remedy: /log/ })
    if (isRoot) {
      chownSync(data, 12345, 12345)
      await t.rejects(startIn(folder), Failure, 'another owner')
    }
    t.ok(existsSync(join(data, 'base')))
  })

  await t.test('is deleted whole', async (t) => {
    await removeIn(folder)
    t.notOk(existsSync(folder))
    await removeIn(folder)
  })
})

test('two starts at once, after one that was killed, make one cluster', async (t) => {
  const folder = scratchFolder(t)
  const killed = elsewhere(startsDev(folder))
  while (!existsSync(folder) || !readdirSync(folder).some((name) => name.startsWith('data-'))) await sleep(5)
  await sleep(100)
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  t.notOk(existsSync(join(folder, 'data')))

  const answers = await Promise.all([1, 2].map(() => answerOf<Started>(elsewhere(startsDev(folder)))))
  t.equal(answers.filter(({ created }) => created).length, 1)
  t.equal(answers.filter(({ started }) => started).length, 1)
  t.equal((await findIn(folder))?.port, answers[0]?.port, 'and it outlives them')
  t.equal((await findIn(folder))?.port, answers[1]?.port)
  t.strictSame(readdirSync(folder).sort(), ['data', 'log', 'password', 'port'])
  t.strictSame(readdirSync(join(folder, '..')), ['postgres'], 'no lock is left')
  await removeIn(folder)
})

test('a folder that cannot be used is refused', async (t) => {
  const folder = scratchFolder(t)
  writeFileSync(folder, 'a file')
  await t.rejects(startIn(folder), Failure)
  rmSync(folder)
  chmodSync(join(folder, '..'), 0o555)
  if (!isRoot) await t.rejects(startIn(folder), Failure, 'read-only')
})

test('a test server is its owner’s, and goes with it', async (t) => {
  const child = elsewhere('say({ folder: (await server.startThrowawayServer()).folder }); setInterval(() => {}, 1000)')
  const { folder } = await answerOf<{ folder: string }>(child)
  const pid = postmasterPid(folder)
  const server = await startThrowawayServer()
  t.strictSame(await query(server, 'show fsync'), [{ fsync: 'off' }])
  t.ok(isRunning(pid), 'one in use is left alone')

  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await startThrowawayServer()).stop()
  t.notOk(existsSync(folder), 'what the killed owner left is removed')
  t.notOk(isRunning(pid), 'and stopped')
  t.equal((await query(server, 'show port')).length, 1)

  await server.stop()
  await server.stop()
  t.notOk(existsSync(server.folder))
})

test('root works from a clone that the server’s user cannot reach', { skip: !isRoot }, async (t) => {
  const clone = mkdtempSync(join(tmpdir(), 'clone-'))
  const at = locate(undefined, clone)
  t.teardown(() => [clone, at.home].forEach((path) => rmSync(path, { recursive: true, force: true })))
  t.equal(at.isInPlace, false)
  t.ok(at.home.startsWith('/var/tmp/'))

  const programs = prepare(at)
  t.equal(prepare(at), programs)
  t.equal(readdirSync(at.home).length, 1)
  const version = execFileSync(join(programs, 'postgres'), ['--version'], { ...at.user, cwd: '/', encoding: 'utf8' })
  t.match(version, ` ${at.major}.`)

  chmodSync(at.home, 0o777)
  t.throws(() => prepare(at), Failure, 'a folder that others can write to')
  rmSync(at.home, { recursive: true })
  mkdirSync(at.home)
  chownSync(at.home, 12345, 12345)
  t.throws(() => locate(undefined, clone), Failure, 'a folder of another user')
})

test('a throw-away cluster goes to memory only where that folder is ours', (t) => {
  const at = { ...locate(), home: mkdtempSync(join(tmpdir(), 'home-')) }
  t.teardown(() => rmSync(at.home, { recursive: true }))
  const [first] = throwawayHomes(at)
  if (!first!.startsWith('/dev/shm/')) return t.end()
  t.teardown(() => rmSync(first!, { recursive: true }))
  t.strictSame(throwawayHomes(at), [first, at.home], 'what an earlier run left on the disk is looked for, too')
  chmodSync(first!, 0o777)
  t.strictSame(throwawayHomes(at), [at.home], 'one that others can write to')
  rmSync(first!, { recursive: true })
  writeFileSync(first!, '')
  t.strictSame(throwawayHomes(at), [at.home], 'no folder')
  t.end()
})

test('programs that are not there are refused', async (t) => {
  await t.rejects(startThrowawayServer({ native: '/nowhere/native' }), Failure)
})

/** A path for a cluster, in a folder of its own that the server's user can reach. */
function scratchFolder(t: Test): string {
  const parent = mkdtempSync(join(tmpdir(), 'embedded-server-'))
  chmodSync(parent, 0o755)
  t.teardown(async () => {
    await stopIn(join(parent, 'postgres'))
    chmodSync(parent, 0o755)
    rmSync(parent, { recursive: true })
  })
  return join(parent, 'postgres')
}

async function query(server: Server, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url('postgres', superuser) })
  await client.connect()
  const { rows } = await client.query(sql)
  await client.end()
  return rows
}

interface Started {
  readonly created: boolean
  readonly started: boolean
  readonly port: number
}

const startsDev = (folder: string): string =>
  `const { created, started, server: { port } } = await server.startIn('${folder}'); say({ created, started, port })`

/** Another process that runs `script`, in which `server` is the module under test. */
function elsewhere(script: string): ChildProcessByStdio<null, Readable, null> {
  const url = new URL(`../../scripts/postgres/server${extname(import.meta.url)}`, import.meta.url)
  const source = `import * as server from '${url}'; const say = (x) => console.log(JSON.stringify(x)); ${script}`
  return spawn(process.execPath, [...process.execArgv, '--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function answerOf<T>(child: ChildProcessByStdio<null, Readable, null>): Promise<T> {
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return JSON.parse(line.toString())
}

const postmasterPid = (folder: string): number =>
  Number.parseInt(readFileSync(join(folder, 'data/postmaster.pid'), 'utf8'), 10)

/** A killed process may stay a zombie where nobody waits for it. */
function isRunning(pid: number): boolean {
  try {
    return process.platform !== 'linux' || readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
  } catch {
    return false
  }
}
