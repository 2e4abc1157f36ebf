import type pg from 'pg'
import type { Target } from '../../core/target.ts'
import type { CaseCode, Found } from './cases.ts'
import { problemsOf } from './files-text.ts'
import { readOnly, rowsOf } from './read-only.ts'

/** The number of snapshots in the sample. */
const sampleSize = 1000

const MiB = 1024 ** 2
/** Longer texts are counted but not read. */
const maxBytes = 16 * MiB
/** The size of one batch, which limits the memory of this process. */
const batchBytes = 8 * MiB
/** The sample ends here, so that a thousand large snapshots do not take minutes. */
const maxSampleBytes = 128 * MiB
const pageSize = 2000

interface Entry {
  readonly id: number
  readonly bytes: number
}

export interface FilesOptions {
  readonly deep: boolean
  readonly say?: (line: string) => void
}

/**
 * Reads the files of all snapshots (`deep`) or of a sample, which is the same in every run over the same rows. Each batch
 * has its own transaction, because a transaction of hours would prevent vacuum from removing dead rows.
 */
export async function examineFiles(
  target: Target,
  rows: number,
  { deep, say }: FilesOptions,
): Promise<Map<CaseCode, Found>> {
  const counts = new Map<CaseCode, { count: number; examples: string[] }>()
  const add = (code: CaseCode, id: number) => {
    const known = counts.get(code) ?? { count: 0, examples: [] }
    counts.set(code, known)
    known.count += 1
    if (known.examples.length < 5) known.examples.push(`${id}`)
  }
  let examined = 0
  let read = 0
  const examine = async (entries: readonly Entry[], limit: number): Promise<void> => {
    for (const batch of batches(entries)) {
      if (read >= limit) return
      const readable = batch.filter(({ bytes }) => bytes <= maxBytes)
      for (const { id, bytes } of batch) if (bytes > maxBytes) add('files_too_large', id)
      const texts = await readOnly(target, (client) => readTexts(client, readable))
      for (const { id, files } of texts) for (const problem of problemsOf(files)) add(problem, id)
      examined += batch.length
      read += readable.reduce((sum, { bytes }) => sum + bytes, 0)
    }
  }

  if (deep) {
    let next = Date.now() + 10_000
    for (let after: number | undefined = -2_147_483_649; after !== undefined; ) {
      const entries: Entry[] = await readOnly(target, (client) => readPage(client, after!))
      await examine(entries, Infinity)
      after = entries.at(-1)?.id
      if (Date.now() < next) continue
      next = Date.now() + 10_000
      say?.(`files: ${examined} of about ${Math.max(rows, examined)} snapshots, ${Math.round(read / MiB)} MiB`)
    }
  } else {
    await examine(await readOnly(target, chooseSample), maxSampleBytes)
  }
  const sample = deep || examined >= rows ? {} : { sample: { looked_at: examined, of: rows } }
  const byId = (a: string, b: string) => Number(a) - Number(b)
  return new Map(
    fileCodes.map((code) => {
      const { count, examples } = counts.get(code) ?? { count: 0, examples: [] }
      return [code, { count, examples: examples.sort(byId), ...sample }]
    }),
  )
}

const fileCodes = [
  'files_too_large',
  'files_no_object_of_strings',
  'files_no_text',
  'files_duplicate_key',
  'files_unsafe_path',
] as const satisfies CaseCode[]

function* batches(entries: readonly Entry[]): Generator<Entry[]> {
  let batch: Entry[] = []
  let bytes = 0
  for (const entry of entries) {
    const size = entry.bytes > maxBytes ? 0 : entry.bytes
    if (batch.length > 0 && bytes + size > batchBytes) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(entry)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

const readTexts = (client: pg.Client, entries: readonly Entry[]): Promise<Array<{ id: number; files: string }>> =>
  rowsOf(
    client,
    `select id, files_snapshot as files from public.iteration_snapshots
     where id = any ($1::integer[]) and octet_length(files_snapshot) <= ${maxBytes} order by id`,
    [entries.map(({ id }) => id)],
  )

/** `octet_length` of a TOASTed value reads only the TOAST pointer. */
const readPage = (client: pg.Client, after: number): Promise<Entry[]> =>
  rowsOf(
    client,
    `select id, coalesce(octet_length(files_snapshot), 0) as bytes from public.iteration_snapshots
     where id > $1::bigint order by id limit ${pageSize}`,
    [after],
  )

/** Chooses ids by a hash and finds the next row of each by the primary key; takes all rows of a small table. */
const chooseSample = (client: pg.Client): Promise<Entry[]> =>
  rowsOf(
    client,
    `with small as (
       select array_agg(id) as ids from (select id from public.iteration_snapshots limit ${sampleSize + 1}) as s
       having count(*) <= ${sampleSize}
     ),
     chosen as (
       select unnest(ids) as id from small
       union
       select found.id
       from (select min(id)::bigint as low, max(id)::bigint as high from public.iteration_snapshots) as ends
       cross join generate_series(1, ${sampleSize}::bigint) as n
       cross join lateral (
         select s.id from public.iteration_snapshots as s
         where s.id >= (low + (hashint8extended(n, 0) & 9223372036854775807) % (high - low + 1))::integer
         order by s.id limit 1
       ) as found
       where not exists (select from small)
     )
     select s.id, octet_length(s.files_snapshot) as bytes
     from chosen join public.iteration_snapshots as s on s.id = chosen.id
     where s.files_snapshot is not null
     order by hashint4(s.id), s.id`,
  )
