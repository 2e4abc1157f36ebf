import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { parseUserId } from '../../db/index.ts'
import type { UserId } from '../../db/index.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { createClients } from '../fixtures/clients.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { encodingsOf } from '../fixtures/prints.ts'
import type { Service } from '../secrets/fixtures/refresh_process.ts'
import { connectExpired, mark } from '../secrets/fixtures/refreshing.ts'
import { startKms } from '../fixtures/secret_boxes.ts'
import { configure, readServerLog, talkative } from '../secrets/fixtures/server_log.ts'
import { clusterAdmin, loginTo, logins } from '../fixtures/server.ts'

// Each service runs in its own process, and one is killed at each step of a refresh. The last test searches their output,
// and the server log with the most verbose settings, for plaintext.

const test = await createMigratedDatabase(t)
await configure(test.name, talkative)
const { serviceDb } = createClients(t, test)
const { kms, arn, box } = await startKms(t)
const printed: string[] = []

/** Accepts each refresh token once. A lenient provider accepts the previous token again, in case its response was lost. */
async function startProvider(t: Test, isLenient = false) {
  let generation = 0
  const provider = { url: '', calls: 0 }
  const server = createServer(async (request, response) => {
    provider.calls += 1
    const token = await text(request)
    const isLast = isLenient && token === `${mark}_refresh_${generation - 1}`
    if (token !== `${mark}_refresh_${generation}` && !isLast) return response.writeHead(400).end()
    generation += 1
    // Long enough that the other callers wait for this refresh.
    await sleep(300)
    const granted = { access_token: `${mark}_access_${generation}`, refresh_token: `${mark}_refresh_${generation}` }
    return response.end(JSON.stringify(granted))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  provider.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return provider
}

const accessDigest = (generation: number): string =>
  createHash('sha256').update(`${mark}_access_${generation}`).digest('hex')

interface RunningService {
  refresh(): void
  /** Waits for a line of output that starts with this prefix, and returns the rest of it. */
  printedLine(prefix: string): Promise<string>
  kill(): Promise<void>
  results(): Promise<string[]>
}

async function start(t: Test, user_id: UserId, provider: string, options: Partial<Service>): Promise<RunningService> {
  const url = loginTo(test.name, logins.leo_worker).dbmateUrl
  const service: Service = { url, arn, kms: kms.endpoint, provider, user_id, callers: 1, leaseMs: 4_000, ...options }
  const program = fileURLToPath(new URL('../secrets/fixtures/refresh_process.js', import.meta.url))
  const env = { ...process.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, [program, JSON.stringify(service)], { env })
  const ended = once(child, 'exit')
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  const record = (chunk: string): void => {
    output += chunk
    printed.push(chunk)
  }
  child.stdout.setEncoding('utf8').on('data', record)
  child.stderr.setEncoding('utf8').on('data', record)
  const printedLine = async (prefix: string): Promise<string> => {
    for (const giveUp = Date.now() + 60_000; Date.now() < giveUp; await sleep(10)) {
      const line = output.split('\n').slice(0, -1).find((line) => line.startsWith(prefix))
      if (line !== undefined) return line.slice(prefix.length)
    }
    throw new Error(`the service did not print "${prefix}":\n${output}`)
  }
  await printedLine('ready')
  return {
    refresh: () => void child.stdin.write('go\n'),
    printedLine,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    results: async () => JSON.parse(await printedLine('results ')) as string[],
  }
}

async function expiredUser(): Promise<UserId> {
  const user_id = parseUserId(await test.signUp())
  await connectExpired(serviceDb, box, user_id)
  return user_id
}

t.test('thirty callers in three processes call the provider once', async (t) => {
  const user_id = await expiredUser()
  const provider = await startProvider(t)
  const services = await Promise.all([1, 2, 3].map(() => start(t, user_id, provider.url, { callers: 10 })))
  for (const service of services) service.refresh()
  const results = (await Promise.all(services.map((service) => service.results()))).flat()
  t.strictSame(results, Array.from({ length: 30 }, () => accessDigest(1)))
  t.equal(provider.calls, 1)
})

t.test('without the lease the provider is called more than once', async (t) => {
  await test.owner.query(`
    create function private.end_lease() returns trigger language plpgsql as
      $$ begin new.expires_at := '-infinity'; return new; end $$;
    create trigger end_lease before insert or update on private.secret_refreshes
      for each row when (new.holder is not null) execute function private.end_lease()`)
  const provider = await startProvider(t)
  const service = await start(t, await expiredUser(), provider.url, { callers: 10 })
  service.refresh()
  await service.results()
  t.ok(provider.calls > 1, `${provider.calls} calls`)
  await test.owner.query('drop trigger end_lease on private.secret_refreshes; drop function private.end_lease()')
})

interface Step {
  readonly stopAt?: Service['stopAt']
  readonly isLenient?: boolean
  readonly calls: number
  readonly result: string
}

/** The moments at which the lease holder is killed, with the expected result of the other callers. */
const steps: Readonly<Record<string, Step>> = {
  'before the exchange': { stopAt: 'before the exchange', calls: 1, result: accessDigest(1) },
  'between exchange and save, with a provider that accepts the old token again': {
    ...{ stopAt: 'after the exchange', isLenient: true, calls: 2, result: accessDigest(2) },
  },
  'between exchange and save, with a provider that does not, which is the only moment that loses a token': {
    ...{ stopAt: 'after the exchange', calls: 2, result: 'refresh_rejected' },
  },
  'while it saves': { calls: 1, result: accessDigest(1) },
  'after it has saved': { stopAt: 'at the end', calls: 1, result: accessDigest(1) },
}

for (const [title, { stopAt, isLenient, calls, result }] of Object.entries(steps)) {
  t.test(`kill -9 of the holder ${title}`, async (t) => {
    const user_id = await expiredUser()
    const provider = await startProvider(t, isLenient)
    const [holder, ...others] = await Promise.all([
      start(t, user_id, provider.url, stopAt === undefined ? {} : { stopAt }),
      start(t, user_id, provider.url, { callers: 5 }),
      start(t, user_id, provider.url, { callers: 5 }),
    ])
    let unlock = async (): Promise<unknown> => undefined
    if (stopAt === undefined) {
      const locker = await test.login('postgres')
      await locker.query('begin')
      await locker.query('select from user_secrets where user_id = $1 for no key update', [user_id])
      unlock = () => locker.query('rollback')
    }
    holder.refresh()
    if (stopAt === undefined) await waitForSave()
    else await holder.printedLine(stopAt)
    for (const other of others) other.refresh()
    // Time for the other callers to find the lease held.
    await sleep(200)
    const before = performance.now()
    await holder.kill()
    await unlock()
    const results = (await Promise.all(others.map((other) => other.results()))).flat()
    t.comment(`the others got a result ${(performance.now() - before).toFixed(0)} ms after the kill`)
    t.strictSame(results, Array.from({ length: 10 }, () => result))
    t.equal(provider.calls, calls)
  })
}

/** Waits until a save is blocked by the lock on its row. */
async function waitForSave(): Promise<void> {
  await withClient(clusterAdmin(test.name), async (admin) => {
    for (const giveUp = Date.now() + 30_000; Date.now() < giveUp; await sleep(10)) {
      const { rowCount } = await admin.query(
        `select from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock' and query like '%with saved as%'`,
      )
      if (rowCount !== 0) return
    }
    throw new Error('no session is saving a token')
  })
}

t.test('the output of the services and the server log contain no plaintext', async (t) => {
  const everything = [printed.join(''), await readServerLog()]
  t.match(everything[0], /SecretValue \[secret\]/)
  t.match(everything[1], /leo1\.kms\./)
  const found = (): boolean => encodingsOf(mark).some((spelling) => everything.some((text) => text.includes(spelling)))
  t.notOk(found())

  const provider = await startProvider(t)
  const service = await start(t, await expiredUser(), provider.url, { reveal: true })
  service.refresh()
  await service.results()
  everything[0] = printed.join('')
  t.ok(found(), 'the search finds a plaintext that is printed')
})
