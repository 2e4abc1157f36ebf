import { fork } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { credentials } from '../../../test/fixtures/kms.ts'
import { Failure } from '../../core/failure.ts'
import { fromRoot } from '../../core/paths.ts'
import { step } from '../../core/progress.ts'
import { ratio, rounds, show, spread } from '../compare.ts'
import type { Aim, Result, Suite } from '../compare.ts'
import { awsLibrary, cachedBox, kmsAlone, kmsBox, localBox, secrets } from '../secrets/contenders.ts'

const latency = 5
const turnMs = 200
/** Concurrent requests of a busy service. */
const inFlight = 16
const counted = 10_000
/** Enough operations to see that each of them calls KMS. */
const sample = 200

type Operation = (index: number) => Promise<unknown>
interface Candidate {
  readonly once: Operation
  /** The number of KMS calls for `counted` operations that start with an empty cache. */
  readonly calls: number
}

/** Compares sealing and opening with one KMS call per secret and with the library of AWS. */
export async function benchmarkSecrets(): Promise<Suite> {
  // From here on, this process has fake credentials only and can use the local key.
  Object.assign(process.env, credentials, { NODE_ENV: 'development' })
  const script = fromRoot('scripts/bench/secrets/endpoint.ts')
  const kms = fork(script, [String(latency)], { execArgv: ['--import', 'tsx'] })
  const failure = new Failure('the process of the fake KMS ended', 'see its output above')
  const ended = once(kms, 'exit').then(() => Promise.reject(failure))
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
    const candidate = async (once: Operation, count = sample): Promise<Candidate> => {
      await callsSince()
      await repeat(once, (started) => started < count)
      return { once, calls: (await callsSince()) * (counted / count) }
    }
    const [alone, box, library, local] = await step('sealing the secrets to open', () =>
      Promise.all([kmsAlone(endpoint, arn), kmsBox(endpoint, arn), awsLibrary(endpoint, arn, false), localBox()]),
    )
    const [warm, warmLibrary] = [await cachedBox(endpoint, arn), await awsLibrary(endpoint, arn, true)]
    const candidates = await step('counting KMS calls', async () => ({
      encrypt: await candidate(alone.seal),
      seal: await candidate(box.seal),
      libraryEncrypt: await candidate(library.seal),
      localSeal: await candidate(local.seal),
      decrypt: await candidate(alone.open),
      openCold: await candidate(box.open),
      openWarm: await candidate(warm.open, counted),
      libraryCold: await candidate(library.open),
      libraryWarm: await candidate(warmLibrary.open, counted),
      localOpen: await candidate(local.open),
    }))
    const names = Object.keys(candidates) as (keyof typeof candidates)[]
    const turns = Object.fromEntries(names.map((name) => [name, () => turn(candidates[name].once)]))
    const measured = await step('sealing and opening', () => rounds(15, turns as Record<keyof typeof candidates, () => Promise<number>>))
    const line = (what: string, ours: keyof typeof candidates, against: string, theirs: keyof typeof candidates, least?: number): Result => {
      const aim: Aim | undefined = least === undefined ? undefined : { is: 'at least', value: least }
      return {
        what: `${what}, ${candidates[ours].calls} calls`,
        against,
        figures: `${show(spread(measured[ours]), 0)} against ${show(spread(measured[theirs]), 0)} per second`,
        ratio: ratio(measured[ours], measured[theirs]),
        ...(aim && { aim }),
      }
    }
    return {
      name: 'secrets',
      title: 'Sealing and opening',
      explanation:
        `${secrets} secrets of 1,000 bytes and ${inFlight} concurrent requests. The fake KMS runs in its own process and ` +
        `answers after ${latency} ms. "Calls" are the KMS calls for ${counted.toLocaleString('en')} operations, ` +
        'starting with an empty cache.',
      results: [
        line('seal', 'seal', 'KMS Encrypt', 'encrypt', 1),
        line('open, cold', 'openCold', 'KMS Decrypt', 'decrypt'),
        line('open, warm', 'openWarm', 'KMS Decrypt', 'decrypt', 10),
        line('seal', 'seal', '@aws-crypto/client-node', 'libraryEncrypt'),
        line('open, cold', 'openCold', '@aws-crypto/client-node', 'libraryCold'),
        line('open, warm', 'openWarm', '@aws-crypto/client-node, warm', 'libraryWarm'),
        line('seal, local key', 'localSeal', 'KMS Encrypt', 'encrypt'),
        line('open, local key', 'localOpen', 'KMS Decrypt', 'decrypt'),
      ],
    }
  } finally {
    ended.catch(() => undefined)
    kms.disconnect()
  }
}

/** Operations per second. */
async function turn(once: Operation): Promise<number> {
  const started = performance.now()
  const done = await repeat(once, () => performance.now() - started < turnMs)
  return (done * 1000) / (performance.now() - started)
}

/** Runs the operation with `inFlight` concurrent requests while `continues` is true. Returns the number of operations. */
async function repeat(once: Operation, continues: (started: number) => boolean): Promise<number> {
  let started = 0
  const request = async (): Promise<void> => {
    while (continues(started)) {
      started += 1
      await once(started)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, request))
  return started
}
