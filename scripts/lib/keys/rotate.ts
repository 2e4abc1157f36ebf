import { setMaxListeners } from 'node:events'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { KeyThrottledError, keyIdOf, parseSealedSecret, SecretError } from '../../../db/secrets/index.ts'
import type { SealedSecret, SecretBox } from '../../../db/secrets/index.ts'
import type { BatchProgress } from '../batch-bar.ts'
import { politeness, prepareBatches } from '../batches.ts'
import { Pacer } from './pacer.ts'
import { rowsOf, write } from './rows.ts'
import type { OneByOne, RewrappedRow, SealedRow } from './rows.ts'
import type { SealedTable } from './tables.ts'
import { countKeys } from './usage.ts'
import type { KeyUsage } from './usage.ts'

/**
 * Wraps the data keys of all that is sealed by the key that seals now. There is no book of what is done: a row that the
 * current key sealed is, and where a killed run stopped the next one finds the rest. KMS re-encrypts; the process sees
 * no data key, and needs no right to Decrypt.
 */

export interface RotateOptions {
  /** Calls of KMS a second, at most. */
  readonly rate: number
  readonly signal?: AbortSignal
  readonly report?: (progress: BatchProgress) => void
  /** How long a row is tried again while KMS throttles or is not there. */
  readonly patienceMs?: number
}

export interface SkippedRow {
  readonly table: string
  readonly id: string
  readonly keyId: string
  readonly error: SecretError
}

export interface Rotation {
  /** Of the end; an alias may have been moved meanwhile. */
  readonly current: string
  readonly isStopped: boolean
  readonly rewrapped: number
  /** Rows that KMS will not re-wrap for anybody. */
  readonly skipped: readonly SkippedRow[]
  /** Keys of which no row can be re-wrapped now, and why. */
  readonly refused: ReadonlyMap<string, SecretError>
  /** What other keys than the current one have sealed, the skipped and refused included. */
  readonly left: readonly KeyUsage[]
}

const concurrency = 32
/** What a kill can cost: calls whose outcome was not written yet. */
const writeRows = 50
/** Somebody who goes on sealing by the old key must not keep it from its end. */
const sweeps = 5

/** The row's own fault, not its key's. */
const ofRow = new Set<string>(['secret_tampered', 'secret_malformed', 'secret_not_encrypted', 'invalid_secret_use'])

/** @throws {SecretError} when KMS cannot be asked at all, or not for longer than the patience. */
export async function rotateKeys(client: pg.Client, box: SecretBox, options: RotateOptions): Promise<Rotation> {
  const { rate, signal, report, patienceMs = 300_000 } = options
  const stop = new AbortController()
  const stopped = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  setMaxListeners(concurrency, stopped)
  const pacer = new Pacer(rate)
  const oneByOne = queue()
  const skipped = new Map<string, SkippedRow>()
  const refused = new Map<string, SecretError>()
  let rewrapped = 0
  let looked = 0
  let total = 0
  let hasWorked = false

  await prepareBatches(client)
  // A re-wrap that a crash took back would be under a key that is believed to be unused.
  await client.query(`
    set synchronous_commit = on;
    set row_security = off;
    set enable_seqscan = off;
    set enable_bitmapscan = off`)

  const progress = (table: SealedTable, pause?: string): void =>
    report?.({
      phase: table.name.replace('public.', ''),
      done: looked,
      total: Math.max(total, looked),
      batch: writeRows,
      ...(pause !== undefined && { pause }),
    })

  /** Undefined when it was stopped. */
  async function rewrap(table: SealedTable, row: SealedRow): Promise<SealedSecret | undefined> {
    for (const giveUp = performance.now() + patienceMs; ; ) {
      await pacer.turn(stopped)
      if (stopped.aborted) return undefined
      try {
        const text = await box.rewrap(table.contextOf(row.context), parseSealedSecret(row.sealed))
        pacer.speedUp()
        hasWorked = true
        return text
      } catch (error) {
        // Who cannot reach KMS in the first place has something to correct, not to wait for.
        const isWorthIt = hasWorked || error instanceof KeyThrottledError
        if (!(error instanceof SecretError) || !error.isRetrySafe || !isWorthIt || performance.now() > giveUp) throw error
        pacer.slowDown()
        progress(table, error.code)
      }
    }
  }

  /** All rows of one table that one key sealed; false when another key than `current` seals by now. */
  async function sweep(table: SealedTable, keyId: string, current: string): Promise<boolean> {
    const rows = rowsOf(client, table, keyId, oneByOne)
    const giveWay = politeness(client, [table.name], (pause) => progress(table, pause), stopped)
    let results: RewrappedRow[] = []
    let isCurrent = true
    const flush = async (): Promise<void> => {
      const batch = results
      results = []
      if (batch.length > 0) rewrapped += await oneByOne(() => write(client, table, batch))
    }
    const work = async (): Promise<void> => {
      for await (const row of rows) {
        const key = `${table.name} ${row.id}`
        if (skipped.has(key)) continue
        try {
          const text = await rewrap(table, row)
          if (text === undefined) return
          results.push({ id: row.id, old: row.sealed, rewrapped: text })
          isCurrent &&= keyIdOf(text) === current
        } catch (error) {
          if (!(error instanceof SecretError) || error.isRetrySafe) throw error
          if (!ofRow.has(error.code)) return void refused.set(keyId, error)
          skipped.set(key, { table: table.name, id: row.id, keyId, error })
        }
        looked += 1
        if (results.length >= writeRows) {
          await flush()
          progress(table)
          await oneByOne(giveWay)
        }
        if (!isCurrent || stopped.aborted) return
      }
    }
    const outcomes = await Promise.allSettled(
      Array.from({ length: concurrency }, () =>
        work().catch((error: unknown) => {
          stop.abort()
          throw error
        }),
      ),
    )
    await flush()
    progress(table)
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return isCurrent
  }

  for (let round = 1; ; round++) {
    const current = await box.currentKeyId()
    const others = (await countKeys(client)).filter(({ keyId }) => keyId !== current)
    const ofKey = (usage: KeyUsage): number =>
      [...skipped.values()].filter(({ table, keyId }) => table === usage.table.name && keyId === usage.keyId).length
    const open = others.filter((usage) => !refused.has(usage.keyId) && usage.rows > ofKey(usage))
    const isStopped = stopped.aborted
    if (open.length === 0 || isStopped || round > sweeps) {
      return { current, isStopped, rewrapped, skipped: [...skipped.values()], refused, left: others }
    }
    if (round > 1) await sleep(200)
    total = looked + open.reduce((sum, { rows }) => sum + rows, 0)
    for (const { table, keyId } of open) {
      if (refused.has(keyId)) continue
      if (stopped.aborted || !(await sweep(table, keyId, current))) break
    }
  }
}

/** Of many workers with one connection, one at a time. */
function queue(): OneByOne {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const result = last.then(work)
    last = result.catch(() => undefined)
    return result
  }
}
