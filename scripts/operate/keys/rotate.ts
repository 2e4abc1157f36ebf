import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { keyIdOf, parseSealedSecret, SecretError } from '../../../db/secrets/index.ts'
import type { SecretBox } from '../../../db/secrets/index.ts'
import type { BatchProgress } from '../../core/batch-progress.ts'
import { politeness, prepareBatches } from '../../core/batches.ts'
import { Rewrapper } from './rewrapper.ts'
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
  /** How long a row is tried again while KMS throttles or is not there; five minutes if absent. */
  readonly patienceMs?: number
}

export interface SkippedRow {
  readonly table: string
  readonly id: string
  readonly keyId: string
  readonly error: SecretError
}

export interface Rotation {
  /** The key that seals at the end; an alias may have been moved meanwhile. */
  readonly current: string
  readonly isStopped: boolean
  readonly rewrapped: number
  /** Rows that KMS re-wraps for nobody. */
  readonly skipped: readonly SkippedRow[]
  /** Keys of which no row can be re-wrapped now, and why. */
  readonly refused: ReadonlyMap<string, SecretError>
  /** What other keys than the current one have sealed, the skipped and refused included. */
  readonly left: readonly KeyUsage[]
}

const concurrency = 32
/** What a kill can cost, beside those under way: calls whose outcome was not written yet. */
const writeRows = 50
/** Somebody who goes on sealing by the old key must not keep it from its end. */
const rounds = 5

/** The row's own fault, not its key's. */
const ofRow = new Set<string>(['secret_tampered', 'secret_malformed', 'secret_not_encrypted', 'invalid_secret_use'])

/** @throws {SecretError} when KMS cannot be asked at all, or not for longer than the patience. */
export async function rotateKeys(client: pg.Client, box: SecretBox, options: RotateOptions): Promise<Rotation> {
  const { rate, report, patienceMs = 300_000 } = options
  const failed = new AbortController()
  const stop = AbortSignal.any([failed.signal, ...(options.signal === undefined ? [] : [options.signal])])
  setMaxListeners(concurrency, stop)
  const rewrapper = new Rewrapper(box, { rate, patienceMs, signal: stop })
  const oneByOne = queue()
  const skipped = new Map<string, SkippedRow>()
  const refused = new Map<string, SecretError>()
  let rewrapped = 0
  let looked = 0
  let total = 0

  await prepareBatches(client)
  // A re-wrap that a crash took back would be under a key that is believed to be unused.
  await client.query(`
    set synchronous_commit = on;
    set row_security = off;
    set enable_seqscan = off;
    set enable_bitmapscan = off`)

  /** All rows of one table that one key sealed; false once a row shows that another key than `current` seals by now. */
  async function sweep(table: SealedTable, keyId: string, current: string): Promise<boolean> {
    const rows = rowsOf(client, table, keyId, oneByOne)
    let results: RewrappedRow[] = []
    let isCurrent = true
    const progress = (pause?: string): void => {
      const phase = table.name.replace('public.', '')
      const paused = pause === undefined ? {} : { pause }
      report?.({ phase, done: looked, total: Math.max(total, looked), batch: writeRows, ...paused })
    }
    const giveWay = politeness(client, [table.name], progress, stop)

    const flush = async (): Promise<void> => {
      const batch = results
      results = []
      if (batch.length > 0) rewrapped += await oneByOne(() => write(client, table, batch))
      progress()
    }
    const take = async (row: SealedRow): Promise<void> => {
      const place = `${table.name} ${row.id}`
      if (skipped.has(place)) return
      try {
        const text = await rewrapper.rewrap(table.contextOf(row.context), parseSealedSecret(row.sealed), progress)
        if (text === undefined) return
        results.push({ id: row.id, old: row.sealed, rewrapped: text })
        isCurrent &&= keyIdOf(text) === current
      } catch (error) {
        if (!(error instanceof SecretError) || error.isRetrySafe) throw error
        if (ofRow.has(error.code)) skipped.set(place, { table: table.name, id: row.id, keyId, error })
        else refused.set(keyId, error)
      }
      looked += 1
    }
    const work = async (): Promise<void> => {
      // Who leaves the loop ends it for all: the pages are theirs together.
      for await (const row of rows) {
        await take(row)
        if (stop.aborted || !isCurrent || refused.has(keyId)) return
        if (results.length < writeRows) continue
        await flush()
        await oneByOne(giveWay)
      }
    }
    const workers = Array.from({ length: concurrency }, () =>
      work().catch((error: unknown) => {
        failed.abort()
        throw error
      }),
    )
    const ends = await Promise.allSettled(workers)
    await flush()
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    return isCurrent
  }

  for (let round = 1; ; round++) {
    const current = await box.currentKeyId()
    const left = (await countKeys(client)).filter(({ keyId }) => keyId !== current)
    const open = left.filter((usage) => !refused.has(usage.keyId) && usage.rows > skippedOf(usage, skipped))
    if (open.length === 0 || stop.aborted || round > rounds) {
      return { current, isStopped: stop.aborted, rewrapped, skipped: [...skipped.values()], refused, left }
    }
    // For whoever holds a row.
    if (round > 1) await sleep(200)
    total = looked + open.reduce((sum, { rows }) => sum + rows, 0)
    for (const { table, keyId } of open) {
      if (stop.aborted) break
      if (!refused.has(keyId) && !(await sweep(table, keyId, current))) break
    }
  }
}

function skippedOf({ table, keyId }: KeyUsage, skipped: ReadonlyMap<string, SkippedRow>): number {
  return [...skipped.values()].filter((row) => row.table === table.name && row.keyId === keyId).length
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
