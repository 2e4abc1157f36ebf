import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { VerifyFinding } from '../schema/verify/finding.ts'
import { inSnapshot } from './read-only.ts'

/**
 * Verifies the hash chain of the configuration history (db/migrations/…_create_deployment_config_history.sql). The
 * hashes are recomputed here, not by the database function that wrote them, because an attacker could have replaced that
 * function. Digests of values are computed by the server's sha256(), so no value leaves the server.
 *
 * The owner of the database can rewrite the whole chain. This is detected only by comparison with an earlier head that
 * is stored elsewhere.
 */

/** The last entry of a chain. Its hash depends on all entries before it. */
export interface Head {
  readonly id: string
  /** Hexadecimal. */
  readonly hash: string
}

export interface AuditReport {
  readonly entries: number
  /** The current head, to be stored elsewhere; `undefined` when the history is empty. */
  readonly head: Head | undefined
  readonly findings: readonly VerifyFinding[]
}

export interface AuditOptions {
  /** The head of an earlier run, which must still be in the chain. */
  readonly head?: Head
  readonly report?: (read: number) => void
}

const history = 'public.deployment_config_history'
const initialHash = '0'.repeat(64)
const pageSize = 1000

/** The hashed fields in order, as SQL expressions of type text. */
const hashedFields = [
  `encode(previous_hash, 'hex')`,
  'id::text',
  'key',
  'action::text',
  'old_encrypted::text',
  'new_encrypted::text',
  'old_key_id',
  'new_key_id',
  `encode(old_digest, 'hex')`,
  `encode(new_digest, 'hex')`,
  'actor_role',
  'acting_user_id::text',
  '(extract(epoch from changed_at) * 1000000)::bigint::text',
]

interface Entry {
  readonly id: string
  readonly key: string
  readonly action: 'found' | 'insert' | 'update' | 'delete' | 'redact'
  readonly previous_hash: string
  readonly hash: string
  readonly fields: readonly (string | null)[]
  readonly changed_at: string
  readonly redacted_at: string | null
  readonly old_digest: string | null
  readonly new_digest: string | null
  /** Whether the digest matches the value; null when there is no value. */
  readonly old_holds: boolean | null
  readonly new_holds: boolean | null
  /** Whether the old or the new value is not encrypted. */
  readonly is_plain: boolean
  /** Whether a value that is not encrypted is missing. */
  readonly is_empty: boolean
  /** Whether the new value is not encrypted; a redaction removes its salt. */
  readonly leaves_plain: boolean
}

/** The state of one key after the entries read so far. */
interface KeyState {
  /** The last entry that is not a redaction. */
  readonly last: Entry | undefined
  /** Whether the salt of its new value was redacted, so that later digests cannot be compared with it. */
  readonly isRedacted: boolean
  /** Ids of the entries whose unencrypted values are still stored. */
  readonly plain: readonly string[]
  /** The redacted entries for which no `redact` entry was read yet. */
  readonly redacted: readonly Entry[]
}

/** Verifies the whole history in one snapshot, read only. */
export function verifyAudit(client: pg.Client, { head, report }: AuditOptions = {}): Promise<AuditReport> {
  return inSnapshot(client, async () => {
    const findings: VerifyFinding[] = []
    const keys = new Map<string, KeyState>()
    let isHeadFound = false
    let last: Head | undefined
    let entries = 0
    for await (const page of readPages(client)) {
      for (const entry of page) {
        findings.push(...checkLink(entry, last), ...checkValues(entry), ...checkKey(entry, keys.get(entry.key)))
        keys.set(entry.key, nextState(entry, keys.get(entry.key)))
        isHeadFound ||= entry.id === head?.id && entry.hash === head.hash && hashOf(entry) === head.hash
        last = { id: entry.id, hash: entry.hash }
      }
      entries += page.length
      report?.(entries)
    }
    for (const { redacted } of keys.values()) findings.push(...redacted.map(unrecordedRedaction))
    if (head && !isHeadFound) {
      const what = `no entry ${head.id} with the hash of the given head: entries were deleted or the chain was rewritten`
      findings.push(finding('head_unknown', history, what))
    }
    findings.push(...(await checkEnd(client, last)), ...(await checkSettings(client)))
    return { entries, head: last, findings }
  })
}

async function* readPages(client: pg.Client): AsyncGenerator<Entry[]> {
  const holds = (side: string): string =>
    `${side}_digest = sha256(${side}_salt || convert_to(${side}_value, 'UTF8')) as ${side}_holds`
  for (let after: string | undefined; ; ) {
    const { rows } = await client.query<Entry>(
      `select
        id, key, action, changed_at::text, redacted_at::text,
        encode(previous_hash, 'hex') as previous_hash, encode(hash, 'hex') as hash, array[${hashedFields.join(', ')}] as fields,
        encode(old_digest, 'hex') as old_digest, encode(new_digest, 'hex') as new_digest,
        ${holds('old')}, ${holds('new')},
        old_encrypted is false or new_encrypted is false as is_plain,
        old_encrypted is false and old_value is null or new_encrypted is false and new_value is null as is_empty,
        new_encrypted is false as leaves_plain
      from ${history}
      where $1::bigint is null or id > $1
      order by id
      limit ${pageSize}`,
      [after],
    )
    yield rows
    if (rows.length < pageSize) return
    after = rows.at(-1)?.id
  }
}

/** Computes the hash as db/migrations/…_create_config_history_chain.sql does. */
const hashOf = ({ fields }: Entry): string =>
  createHash('sha256')
    .update(fields.map((field) => (field === null ? '-' : `${Buffer.byteLength(field)}:${field}`)).join(','))
    .digest('hex')

function checkLink(entry: Entry, last: Head | undefined): VerifyFinding[] {
  const found: VerifyFinding[] = []
  if (hashOf(entry) !== entry.hash) found.push(finding('entry_changed', entry, 'does not match its hash'))
  if (entry.previous_hash !== (last?.hash ?? initialHash)) {
    const before = last ? `entry ${last.id}` : 'the start of the chain'
    found.push(finding('link_broken', entry, `does not follow ${before}: entries were deleted, added or moved`))
  }
  return found
}

function checkValues(entry: Entry): VerifyFinding[] {
  if (entry.old_holds === false || entry.new_holds === false) {
    return [finding('value_changed', entry, 'has a value that does not match its digest')]
  }
  if (entry.is_empty && entry.redacted_at === null) {
    return [finding('value_missing', entry, 'lacks a value and is not marked as redacted')]
  }
  return []
}

/** Checks an entry against the earlier entries of the same key. */
function checkKey(entry: Entry, state: KeyState | undefined): VerifyFinding[] {
  if (entry.action === 'redact') {
    const what = 'still has an unencrypted value after a redaction'
    return (state?.plain ?? []).map((id) => finding('plaintext_left', { id, key: entry.key }, what))
  }
  const previous = state?.last?.new_digest ?? null
  if (entry.old_digest === previous || (entry.old_digest !== null && state?.isRedacted)) return []
  return [finding('change_unrecorded', entry, 'has an old value that is not the new value of the entry before it')]
}

function nextState(entry: Entry, state: KeyState | undefined): KeyState {
  const { plain = [], redacted = [] } = state ?? {}
  if (entry.action === 'redact') {
    const last = state?.last
    const unrecorded = redacted.filter((one) => one.redacted_at !== entry.changed_at)
    return { last, isRedacted: last?.leaves_plain ?? false, plain: [], redacted: unrecorded }
  }
  return {
    last: entry,
    isRedacted: false,
    plain: entry.is_plain && entry.redacted_at === null ? [...plain, entry.id] : plain,
    redacted: entry.redacted_at === null ? redacted : [...redacted, entry],
  }
}

const unrecordedRedaction = (entry: Entry): VerifyFinding =>
  finding('redaction_unfounded', entry, 'was redacted, and no later entry records the redaction')

async function checkEnd(client: pg.Client, last: Head | undefined): Promise<VerifyFinding[]> {
  const { rows } = await client.query<{ hash: string }>(
    `select encode(hash, 'hex') as hash from private.audit_heads where table_name = 'deployment_config_history'`,
  )
  if (rows[0]?.hash === (last?.hash ?? initialHash)) return []
  const what = `the last entry is ${last?.id ?? 'missing'}; private.audit_heads records another end of the chain`
  return [finding('end_cut_off', history, what)]
}

/** Finds settings that differ from the last entry of their key. */
async function checkSettings(client: pg.Client): Promise<VerifyFinding[]> {
  const { rows } = await client.query<{ key: string; id: string | null }>(
    `with last as (
      select distinct on (key) * from ${history} where action <> 'redact' order by key, id desc
    )
    select key, l.id
    from public.deployment_config as c
    full join last as l using (key)
    where (c.value is null) <> (l.new_digest is null)
      or c.encrypted <> l.new_encrypted
      -- A re-wrap does not change part 5 of a sealed value. Without a salt the value cannot be compared.
      or l.new_digest <> sha256(l.new_salt || convert_to(
        case when c.encrypted then split_part(c.value, '.', 5) else c.value end, 'UTF8'
      ))
    order by key`,
  )
  return rows.map(({ key, id }) => {
    const what = id === null ? `${key} has no entry in the history` : `${key} differs from entry ${id}`
    return finding('change_unrecorded', 'public.deployment_config', what)
  })
}

function finding(code: string, of: string | Pick<Entry, 'id' | 'key'>, what: string): VerifyFinding {
  return typeof of === 'string'
    ? { code, object: of, what, isKnown: false }
    : { code, object: history, what: `entry ${of.id} (${of.key}) ${what}`, isKnown: false }
}
