import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { keyIdOf, parseSealedSecret, SecretError } from '../../../db/secrets/index.ts'
import type { SecretBox } from '../../../db/secrets/index.ts'
import type { BatchProgress } from '../../core/batch-progress.ts'
import { throttleForWaiters, prepareBatches } from '../../core/batches.ts'
import { Rewrapper } from './rewrapper.ts'
import { rowsOf, write } from './rows.ts'
import type { RewrappedRow, SealedRow, Serialize } from './rows.ts'
import type { SealedTable } from './tables.ts'
import { countKeys } from './usage.ts'
import type { KeyUsage } from './usage.ts'

/**
 * Re-wraps the data keys of all sealed secrets with the current sealing key. Progress is not recorded: a row is done when
 * the current key sealed it, so a run after a killed one processes the remaining rows. KMS re-encrypts the data keys, so
 * this process sees none and needs no permission to Decrypt.
 */

export interface RotateOptions {
  /** Maximum calls of KMS per second. */
  readonly rate: number
  readonly signal?: AbortSignal
  readonly report?: (progress: BatchProgress) => void
  /** How long to retry one row while KMS throttles or cannot be reached. Default: five minutes. */
  readonly patienceMs?: number
}

export interface SkippedRow {
  readonly table: string
  readonly id: string
  readonly keyId: string
  readonly error: SecretError
}

export interface Rotation {
  /** The sealing key at the end of the run. An alias can change during it. */
  readonly current: string
  readonly isStopped: boolean
  readonly rewrapped: number
  /** Rows that cannot be re-wrapped because they are corrupt. */
  readonly skipped: readonly SkippedRow[]
  /** Keys that KMS does not re-wrap from at present, with the error. */
  readonly refused: ReadonlyMap<string, SecretError>
  /** Rows still sealed by other keys than the current one, including skipped and refused ones. */
  readonly left: readonly KeyUsage[]
}

const concurrency = 32
/** Rows per write. A kill loses at most the results of this many calls, and of those in progress. */
const writeRows = 50
/** Limits the run when a service keeps sealing with the old key. */
const maxRounds = 5

/** Errors caused by the row, not by its key. */
const rowErrors = new Set<string>(['secret_tampered', 'secret_malformed', 'secret_not_encrypted', 'invalid_secret_use'])

/** @throws {SecretError} when KMS cannot be reached at the start, or is unavailable for longer than `patienceMs`. */
export async function rotateKeys(client: pg.Client, box: SecretBox, options: RotateOptions): Promise<Rotation> {
  const { rate, report, patienceMs = 300_000 } = options
  const failed = new AbortController()
  const stop = AbortSignal.any([failed.signal, ...(options.signal === undefined ? [] : [options.signal])])
  setMaxListeners(concurrency, stop)
  const rewrapper = new Rewrapper(box, { rate, patienceMs, signal: stop })
  const serialize = createSerializer()
  const skipped = new Map<string, SkippedRow>()
  const refused = new Map<string, SecretError>()
  let rewrapped = 0
  let processed = 0
  let total = 0

  await prepareBatches(client)
  // A commit lost in a crash would leave a row under the old key, which may be deleted after this run.
  await client.query(`
    set synchronous_commit = on;
    set row_security = off;
    set enable_seqscan = off;
    set enable_bitmapscan = off`)

  /**
   * Re-wraps all rows of one table that one key sealed. Returns false as soon as a re-wrapped row shows that the sealing
   * key is no longer `current`.
   */
  async function rotateTable(table: SealedTable, keyId: string, current: string): Promise<boolean> {
    const rows = rowsOf(client, table, keyId, serialize)
    let results: RewrappedRow[] = []
    let isCurrent = true
    const progress = (pause?: string): void => {
      const phase = table.name.replace('public.', '')
      const paused = pause === undefined ? {} : { pause }
      report?.({ phase, done: processed, total: Math.max(total, processed), batch: writeRows, ...paused })
    }
    const waitForOthers = throttleForWaiters(client, [table.name], progress, stop)

    const flush = async (): Promise<void> => {
      const batch = results
      results = []
      if (batch.length > 0) rewrapped += await serialize(() => write(client, table, batch))
      progress()
    }
    const rewrapRow = async (row: SealedRow): Promise<void> => {
      const rowKey = `${table.name} ${row.id}`
      if (skipped.has(rowKey)) return
      try {
        const text = await rewrapper.rewrap(table.contextOf(row.context), parseSealedSecret(row.sealed), progress)
        if (text === undefined) return
        results.push({ id: row.id, old: row.sealed, rewrapped: text })
        isCurrent &&= keyIdOf(text) === current
      } catch (error) {
        if (!(error instanceof SecretError) || error.isRetrySafe) throw error
        if (rowErrors.has(error.code)) skipped.set(rowKey, { table: table.name, id: row.id, keyId, error })
        else refused.set(keyId, error)
      }
      processed += 1
    }
    const work = async (): Promise<void> => {
      // All workers share this iterator: the first one that leaves the loop closes it for the others.
      for await (const row of rows) {
        await rewrapRow(row)
        if (stop.aborted || !isCurrent || refused.has(keyId)) return
        if (results.length < writeRows) continue
        await flush()
        await serialize(waitForOthers)
      }
    }
    const workers = Array.from({ length: concurrency }, () =>
      work().catch((error: unknown) => {
        failed.abort()
        throw error
      }),
    )
    const outcomes = await Promise.allSettled(workers)
    await flush()
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return isCurrent
  }

  for (let round = 1; ; round++) {
    const current = await box.currentKeyId()
    const left = (await countKeys(client)).filter(({ keyId }) => keyId !== current)
    const pending = left.filter((usage) => !refused.has(usage.keyId) && usage.rows > skippedOf(usage, skipped))
    if (pending.length === 0 || stop.aborted || round > maxRounds) {
      return { current, isStopped: stop.aborted, rewrapped, skipped: [...skipped.values()], refused, left }
    }
    // Gives sessions that locked rows in the last round time to end their transactions.
    if (round > 1) await sleep(200)
    total = processed + pending.reduce((sum, { rows }) => sum + rows, 0)
    for (const { table, keyId } of pending) {
      if (stop.aborted) break
      if (!refused.has(keyId) && !(await rotateTable(table, keyId, current))) break
    }
  }
}

function skippedOf({ table, keyId }: KeyUsage, skipped: ReadonlyMap<string, SkippedRow>): number {
  return [...skipped.values()].filter((row) => row.table === table.name && row.keyId === keyId).length
}

/** Runs tasks one after the other, because all workers share one connection. */
function createSerializer(): Serialize {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const result = last.then(work)
    last = result.catch(() => undefined)
    return result
  }
}
