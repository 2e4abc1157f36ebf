import { fork } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { credentials } from '../../test/fixtures/kms.ts'
import { Failure, main } from '../lib/failure.ts'
import { fromRoot } from '../lib/paths.ts'
import { step } from '../lib/progress.ts'
import { awsLibrary, cachedBox, kmsAlone, kmsBox, localBox, secrets } from './secrets/contenders.ts'
import type { Contender } from './secrets/contenders.ts'

/**
 * How many secrets a process seals and opens a second, with the local key and with a KMS that takes 5 ms, beside asking
 * KMS to encrypt each secret and beside the AWS Encryption SDK; and how often each asks KMS. All in turns, round by
 * round, so that a ratio compares what ran at the same time. It prints; it asserts nothing.
 */

const latency = 5
const rounds = 15
const turnMs = 200
/** Requests of a busy service at once. */
const inFlight = 16
const counted = 10_000
/** Enough to see that each operation asks KMS. */
const sample = 200

const encrypting = 'KMS Encrypt per secret'
const decrypting = 'KMS Decrypt per secret'

interface Candidate {
  readonly title: string
  readonly run: (contender: Contender) => (index: number) => Promise<unknown>
  readonly make: () => Promise<Contender>
  /** Whose speed is 1. */
  readonly baseline: string
  readonly isCached?: true
}

interface Turn {
  readonly perSecond: number
  /** Of this process, for one operation, in milliseconds: what other processes take does not count. */
  readonly cpu: number
}

interface Running {
  readonly title: string
  readonly baseline: string
  readonly once: (index: number) => Promise<unknown>
  readonly calls: number
  readonly turns: Turn[]
}

type Result = Pick<Running, 'title' | 'turns' | 'calls'> & { readonly ratios: readonly number[] }

await main(async () => {
  // For this process and the endpoint: no credentials of anybody, and the local key.
  Object.assign(process.env, credentials, { NODE_ENV: 'development' })
  const script = fromRoot('scripts/bench/secrets/endpoint.ts')
  const kms = fork(script, [String(latency)], { execArgv: ['--import', 'tsx'] })
  const ended = once(kms, 'exit').then(() => Promise.reject(new Failure('KMS ended', 'look at what it printed')))
  const answer = async <T>(): Promise<T> => {
    const [message] = await Promise.race([once(kms, 'message'), ended])
    return message as T
  }
  try {
    const { endpoint, arn } = await answer<{ endpoint: string; arn: string }>()
    const callsSince = async (): Promise<number> => {
      kms.send({})
      return (await answer<{ calls: number }>()).calls
    }
    process.stdout.write(report(await measure(candidates(endpoint, arn), callsSince)))
  } finally {
    ended.catch(() => undefined)
    kms.disconnect()
  }
})

function candidates(endpoint: string, arn: string): Candidate[] {
  const seal = ({ seal }: Contender) => seal
  const open = ({ open }: Contender) => open
  const alone = () => kmsAlone(endpoint, arn)
  const box = () => kmsBox(endpoint, arn)
  const library = () => awsLibrary(endpoint, arn, false)
  type Make = Candidate['make']
  const writing = (title: string, make: Make): Candidate => ({ title, run: seal, make, baseline: encrypting })
  const reading = (title: string, make: Make): Candidate => ({ title, run: open, make, baseline: decrypting })
  return [
    writing(encrypting, alone),
    writing('seal', box),
    writing('AWS Encryption SDK encrypt', library),
    writing('seal, local key', localBox),
    reading(decrypting, alone),
    reading('open, cold', box),
    { ...reading('open, warm', () => cachedBox(endpoint, arn)), isCached: true },
    reading('AWS Encryption SDK decrypt, cold', library),
    { ...reading('AWS Encryption SDK decrypt, warm', () => awsLibrary(endpoint, arn, true)), isCached: true },
    reading('open, local key', localBox),
  ]
}

async function measure(all: readonly Candidate[], callsSince: () => Promise<number>): Promise<Result[]> {
  const running: Running[] = []
  for (const { title, run, make, baseline, isCached } of all) {
    const once = run(await make())
    const count = isCached ? counted : sample
    const calls = await step(`counting the calls of ${title}`, async () => {
      await callsSince()
      await repeat(once, (started) => started < count)
      return (await callsSince()) * (counted / count)
    })
    running.push({ title, baseline, once, calls, turns: [] })
  }
  for (let round = 1; round <= rounds; round += 1) {
    await step(`round ${round} of ${rounds}`, async () => {
      for (const { once, turns } of running) turns.push(await turn(once))
    })
  }
  return running.map(({ title, baseline, calls, turns }) => {
    const base = running.find((other) => other.title === baseline)?.turns ?? []
    const ratios = turns.map(({ perSecond }, round) => perSecond / (base[round]?.perSecond ?? NaN))
    return { title, calls, turns, ratios }
  })
}

async function turn(once: Running['once']): Promise<Turn> {
  const [started, cpuBefore] = [performance.now(), process.cpuUsage()]
  const done = await repeat(once, () => performance.now() - started < turnMs)
  const { user, system } = process.cpuUsage(cpuBefore)
  return { perSecond: (done * 1000) / (performance.now() - started), cpu: (user + system) / 1000 / done }
}

/** As many at once as there are requests; how many it were in the end. */
async function repeat(once: Running['once'], goesOn: (started: number) => boolean): Promise<number> {
  let started = 0
  const request = async (): Promise<void> => {
    while (goesOn(started)) {
      started += 1
      await once(started)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, request))
  return started
}

function report(results: readonly Result[]): string {
  const spread = (values: readonly number[], digits: number): string => {
    const sorted = values.toSorted((a, b) => a - b)
    const at = (index: number): string => (sorted[index] ?? NaN).toFixed(digits)
    return `${at(sorted.length >> 1)} (${at(0)}–${at(sorted.length - 1)})`.padStart(24)
  }
  const row = ({ title, turns, ratios, calls }: Result): string => {
    const speeds = turns.map(({ perSecond }) => perSecond)
    const cpu = turns.map((turn) => turn.cpu)
    const columns = [spread(speeds, 0), spread(ratios, 2), spread(cpu, 3), String(calls).padStart(10)]
    return title.padEnd(34) + columns.join('')
  }
  const titles = ['a second', '× KMS alone', 'ms of CPU'].map((title) => title.padStart(24)).join('')
  return [
    '',
    `${''.padEnd(34)}${titles}${'KMS calls'.padStart(10)}`,
    ...results.map(row),
    '',
    `${secrets} secrets of 1,000 bytes, ${inFlight} requests at once, KMS takes ${latency} ms`,
    `median of ${rounds} rounds (lowest–highest); KMS calls per ${counted} operations, from an empty cache`,
    '',
  ].join('\n')
}
