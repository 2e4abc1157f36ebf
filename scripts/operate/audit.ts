import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { VerifyFinding } from '../schema/verify/finding.ts'

/**
 * Whether the history of config (db/migrations/…_create_deployment_config_history.sql) is whole. The chain is computed
 * again here, not by the function that made it, which whoever tampers could have replaced; digests of values are taken
 * with the server's own sha256(), so that no value leaves the server.
 *
 * Whoever owns the database can write the whole chain anew. What shows that is a head of before, kept elsewhere.
 */

/** An entry that later ones lean on: the chain that ends with it cannot be another. */
export interface Head {
  readonly id: string
  /** Hexadecimal. */
  readonly hash: string
}

export interface AuditReport {
  readonly entries: number
  /** To be kept elsewhere; `undefined` while there is no entry. */
  readonly head: Head | undefined
  readonly findings: readonly VerifyFinding[]
}

export interface AuditOptions {
  /** Kept from an earlier run. */
  readonly head?: Head
  readonly report?: (read: number) => void
}

const history = 'public.deployment_config_history'
const beforeFirst = '0'.repeat(64)
const pageSize = 1000

/** What is hashed, in this order, as text. */
const hashed = [
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
  readonly hashed: readonly (string | null)[]
  readonly changed_at: string
  readonly redacted_at: string | null
  readonly old_digest: string | null
  readonly new_digest: string | null
  /** Whether the digests are those of the values; null where there is no value to look at. */
  readonly old_holds: boolean | null
  readonly new_holds: boolean | null
  /** Has a plain side. */
  readonly is_plain: boolean
  /** Has a plain side whose value is not there. */
  readonly is_empty: boolean
  /** Leaves a plain value, whose salt a redaction takes away. */
  readonly leaves_plain: boolean
}

/** What the entries of one key have said so far. */
interface KeyState {
  /** The latest that is no redaction. */
  readonly last: Entry | undefined
  /** The salt of what it left is gone, so that nothing can be compared with it. */
  readonly isForgotten: boolean
  /** The entries whose plain values are still there. */
  readonly plain: readonly string[]
  /** The redacted entries that no `redact` has accounted for yet. */
  readonly redacted: readonly Entry[]
}

/** All of it in one snapshot; writes nothing. */
export async function examineAudit(client: pg.Client, { head, report }: AuditOptions = {}): Promise<AuditReport> {
  // Row security off: a role that sees only some of the rows fails, instead of missing the others.
  await client.query('begin isolation level repeatable read read only; set local row_security = off')
  try {
    const findings: VerifyFinding[] = []
    const keys = new Map<string, KeyState>()
    const kept = { isFound: false }
    let last: Head | undefined
    let entries = 0
    for await (const page of readPages(client)) {
      for (const entry of page) {
        findings.push(...judgeLink(entry, last), ...judgeValues(entry), ...judgeKey(entry, keys.get(entry.key)))
        keys.set(entry.key, follow(entry, keys.get(entry.key)))
        kept.isFound ||= entry.id === head?.id && entry.hash === head.hash && hashOf(entry) === head.hash
        last = { id: entry.id, hash: entry.hash }
      }
      entries += page.length
      report?.(entries)
    }
    for (const { redacted } of keys.values()) findings.push(...redacted.map(unfounded))
    if (head && !kept.isFound) {
      const what = `no entry ${head.id} with the hash that was kept: the end was cut off, or the chain written anew`
      findings.push(finding('head_unknown', history, what))
    }
    findings.push(...(await judgeEnd(client, last)), ...(await judgeSettings(client)))
    return { entries, head: last, findings }
  } finally {
    await client.query('rollback')
  }
}

async function* readPages(client: pg.Client): AsyncGenerator<Entry[]> {
  const holds = (side: string): string =>
    `${side}_digest = sha256(${side}_salt || convert_to(${side}_value, 'UTF8')) as ${side}_holds`
  for (let after: string | undefined; ; ) {
    const { rows } = await client.query<Entry>(
      `select
        id, key, action, changed_at::text, redacted_at::text,
        encode(previous_hash, 'hex') as previous_hash, encode(hash, 'hex') as hash, array[${hashed.join(', ')}] as hashed,
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

/** As db/migrations/…_create_config_history_chain.sql says. */
export const hashOf = ({ hashed }: Pick<Entry, 'hashed'>): string =>
  createHash('sha256')
    .update(hashed.map((field) => (field === null ? '-' : `${Buffer.byteLength(field)}:${field}`)).join(','))
    .digest('hex')

function judgeLink(entry: Entry, last: Head | undefined): VerifyFinding[] {
  const found: VerifyFinding[] = []
  if (hashOf(entry) !== entry.hash) found.push(finding('entry_changed', entry, 'is not what its hash was taken of'))
  if (entry.previous_hash !== (last?.hash ?? beforeFirst)) {
    const before = last ? `entry ${last.id}` : 'the beginning'
    found.push(finding('link_broken', entry, `does not follow ${before}: entries between them are gone, new or moved`))
  }
  return found
}

function judgeValues(entry: Entry): VerifyFinding[] {
  if (entry.old_holds === false || entry.new_holds === false) {
    return [finding('value_changed', entry, 'has a value that is not that of its digest')]
  }
  if (entry.is_empty && entry.redacted_at === null) return [finding('value_missing', entry, 'has lost a value without a redaction')]
  return []
}

/** What the entries of one key say about each other. */
function judgeKey(entry: Entry, state: KeyState | undefined): VerifyFinding[] {
  if (entry.action === 'redact') {
    return (state?.plain ?? []).map((id) => finding('plaintext_left', { id, key: entry.key }, 'has a plain value that was redacted'))
  }
  const left = state?.last?.new_digest ?? null
  if (entry.old_digest === left || (entry.old_digest !== null && state?.isForgotten)) return []
  return [finding('change_unrecorded', entry, 'does not begin with the value that the entry before it left')]
}

function follow(entry: Entry, state: KeyState | undefined): KeyState {
  const { plain = [], redacted = [] } = state ?? {}
  if (entry.action === 'redact') {
    const last = state?.last
    const open = redacted.filter((one) => one.redacted_at !== entry.changed_at)
    return { last, isForgotten: last?.leaves_plain ?? false, plain: [], redacted: open }
  }
  return {
    last: entry,
    isForgotten: false,
    plain: entry.is_plain && entry.redacted_at === null ? [...plain, entry.id] : plain,
    redacted: entry.redacted_at === null ? redacted : [...redacted, entry],
  }
}

const unfounded = (entry: Entry): VerifyFinding =>
  finding('redaction_unfounded', entry, 'has lost its values by a redaction that no later entry tells of')

async function judgeEnd(client: pg.Client, last: Head | undefined): Promise<VerifyFinding[]> {
  const { rows } = await client.query<{ hash: string }>(
    `select encode(hash, 'hex') as hash from private.audit_heads where table_name = 'deployment_config_history'`,
  )
  if (rows[0]?.hash === (last?.hash ?? beforeFirst)) return []
  const what = `${last ? `entry ${last.id}` : 'an empty history'} is not what private.audit_heads knows as the end`
  return [finding('end_cut_off', history, what)]
}

/** Settings that are not what the last entry of their key left. */
async function judgeSettings(client: pg.Client): Promise<VerifyFinding[]> {
  const { rows } = await client.query<{ key: string; id: string | null }>(
    `with last as (
      select distinct on (key) * from ${history} where action <> 'redact' order by key, id desc
    )
    select key, l.id
    from public.deployment_config as c
    full join last as l using (key)
    where (c.value is null) <> (l.new_digest is null)
      or c.encrypted <> l.new_encrypted
      -- Of a sealed value the part that a re-wrap leaves as it is. Without its salt nothing can be said.
      or l.new_digest <> sha256(l.new_salt || convert_to(
        case when c.encrypted then split_part(c.value, '.', 5) else c.value end, 'UTF8'
      ))
    order by key`,
  )
  return rows.map(({ key, id }) => {
    const what = `${key} is not what ${id === null ? 'the history, where it is not,' : `entry ${id}`} says`
    return finding('change_unrecorded', 'public.deployment_config', what)
  })
}

function finding(code: string, of: string | Pick<Entry, 'id' | 'key'>, what: string): VerifyFinding {
  return typeof of === 'string'
    ? { code, object: of, what, isKnown: false }
    : { code, object: history, what: `entry ${of.id} (${of.key}) ${what}`, isKnown: false }
}
