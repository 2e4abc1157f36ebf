import type { Case } from './report.ts'

type Kind = Omit<Case, 'code' | 'count' | 'examples' | 'sample'>

const quarantined = 'moved to private.quarantine'
const unlessRecent = 'one that is unfinished and was updated in the last day, only with old_writers=gone'
const logged = 'the original value is kept in private.migration_log'

/** In print order. `what` describes the action of db/migrations/…_create_backfill.sql. */
const kinds = {
  // Both tables.
  unknown_column: {
    title: 'columns that the schema does not define',
    of: 'columns',
    fate: 'refused',
    what: 'refused until `make adopt` has recorded them: they stay, and every role that may read a row can read them',
  },
  unknown_enum_value: {
    title: 'enum values that the schema does not define',
    of: 'values',
    fate: 'refused',
    what: 'refused; `make adopt` refuses them too and prints how to repair the type',
  },
  zone_unknown: {
    title: 'columns without a time zone, on a server whose TimeZone is not UTC',
    of: 'columns',
    fate: 'refused',
    what: 'refused until the operator names the zone in which the values were written',
  },
  // Requests that are quarantined.
  app_contested: {
    title: 'app ids that several users claim',
    of: 'apps',
    fate: 'question',
    what: `\`make backfill owners=file\` names the owner; the others' requests, or all without an answer, are ${quarantined}`,
  },
  app_contested_requests: {
    title: 'requests with an app id that several users claim',
    of: 'requests',
    fate: 'question',
    what: `those of the owner that the operator names stay; the others are ${quarantined} with their snapshots`,
  },
  app_of_another_user: {
    title: 'requests whose app id now belongs to another user',
    of: 'requests',
    fate: 'quarantined',
    what: quarantined,
  },
  user_id_missing: {
    title: 'requests without user_id',
    of: 'requests',
    fate: 'quarantined',
    what: `${quarantined}; ${unlessRecent}`,
  },
  user_id_unknown: {
    title: 'requests of a user that is not in auth.users',
    of: 'requests',
    fate: 'quarantined',
    what: `${quarantined}, no user is created; ${unlessRecent}`,
  },
  // Apps and their names.
  app_id_missing: {
    title: 'requests without app_id',
    of: 'requests',
    fate: 'mended',
    what: 'each gets its own app, with an id derived from the request id; apps are never merged by name',
  },
  app_name_taken: {
    title: 'apps whose user has an older app of the same name',
    of: 'apps',
    fate: 'mended',
    what: `the oldest keeps the name; the others become \`name (2)\`…, ${logged}; their requests keep the name`,
  },
  app_names_several: {
    title: 'apps whose requests have different names',
    of: 'apps',
    fate: 'mended',
    what: 'one app with the latest name that is not blank; each request keeps its own name',
  },
  app_name_blank: {
    title: 'requests whose name is null or has no visible character',
    of: 'requests',
    fate: 'mended',
    what: `set to \`Untitled app\`, ${logged}`,
  },
  app_name_too_long: {
    title: 'requests whose name is longer than 120 characters',
    of: 'requests',
    fate: 'mended',
    what: 'the name of the app is truncated; the request keeps the full name',
  },
  app_name_variant: {
    title: 'apps whose name differs only in case or Unicode normalization from the name of another app of the same user',
    of: 'apps',
    fate: 'kept',
    what: 'they remain separate apps',
  },
  // Single values of requests.
  generating_stale: {
    title: 'requests in status generating without an update for more than a day',
    of: 'requests',
    fate: 'question',
    what: '`make backfill stale_after=interval` pauses those that have a snapshot with files and fails the others; without it they stay',
  },
  status_missing: {
    title: 'requests without a status',
    of: 'requests',
    fate: 'mended',
    what: `set to \`completed\` if completed_at is set and error_message is not, otherwise to \`failed\`, ${logged}`,
  },
  completed_at_missing: {
    title: 'finished requests without completed_at',
    of: 'requests',
    fate: 'mended',
    what: `set to updated_at, otherwise to created_at, ${logged}`,
  },
  completed_at_unexpected: {
    title: 'unfinished requests with completed_at',
    of: 'requests',
    fate: 'mended',
    what: `the status stays, completed_at is set to null, ${logged}`,
  },
  completed_before_created: {
    title: 'requests completed before they were created',
    of: 'requests',
    fate: 'mended',
    what: `completed_at is set to created_at, ${logged}`,
  },
  iteration_over_limit: {
    title: 'requests whose current_iteration exceeds max_iterations',
    of: 'requests',
    fate: 'mended',
    what: `max_iterations is raised to current_iteration, ${logged}`,
  },
  max_iterations_invalid: {
    title: 'requests whose max_iterations is null, zero or negative',
    of: 'requests',
    fate: 'mended',
    what: `set to 10, or to current_iteration if that is larger, ${logged}`,
  },
  current_iteration_invalid: {
    title: 'requests whose current_iteration is null or negative',
    of: 'requests',
    fate: 'mended',
    what: `set to 0, ${logged}`,
  },
  generation_type_missing: {
    title: 'requests without generation_type',
    of: 'requests',
    fate: 'mended',
    what: `set to \`new\`, ${logged}`,
  },
  mode_missing: { title: 'requests without mode', of: 'requests', fate: 'mended', what: `set to \`autonomous\`, ${logged}` },
  prompt_missing: { title: 'requests without prompt', of: 'requests', fate: 'mended', what: `set to an empty text, ${logged}` },
  created_at_missing: {
    title: 'requests without created_at',
    of: 'requests',
    fate: 'mended',
    what: `set to updated_at, otherwise to completed_at or the time of the backfill, ${logged}`,
  },
  updated_at_missing: {
    title: 'requests without updated_at',
    of: 'requests',
    fate: 'mended',
    what: `set to completed_at, otherwise to created_at or the time of the backfill, ${logged}`,
  },
  url_not_https: {
    title: 'requests with a URL that becomes valid by trimming it or replacing http:// by https://',
    of: 'requests',
    fate: 'mended',
    what: `github_url or deployment_url is corrected, ${logged}`,
  },
  url_invalid: {
    title: 'requests with a URL that cannot become an https URL',
    of: 'requests',
    fate: 'mended',
    what: `github_url or deployment_url is set to null, ${logged}`,
  },
  // Snapshots.
  snapshot_request_missing: {
    title: 'snapshots of a request that does not exist',
    of: 'snapshots',
    fate: 'quarantined',
    what: quarantined,
  },
  snapshot_request_lost: {
    title: 'snapshots of a request that is quarantined or whose app id several users claim',
    of: 'snapshots',
    fate: 'quarantined',
    what: `${quarantined} with the request`,
  },
  snapshot_iteration_invalid: {
    title: 'snapshots whose iteration_number is null or negative',
    of: 'snapshots',
    fate: 'quarantined',
    what: quarantined,
  },
  snapshot_identical: {
    title: 'snapshots that are identical to an earlier one',
    of: 'snapshots',
    fate: 'quarantined',
    what: `the first stays, the others are ${quarantined}`,
  },
  snapshot_iteration_repeated: {
    title: 'snapshots with the same request, iteration and type as an earlier one, but different content',
    of: 'snapshots',
    fate: 'kept',
    what: 'all of them stay',
  },
  snapshot_type_missing: {
    title: 'snapshots without snapshot_type',
    of: 'snapshots',
    fate: 'mended',
    what: `set to \`automatic\`, ${logged}`,
  },
  snapshot_timestamp_missing: {
    title: 'snapshots without timestamp',
    of: 'snapshots',
    fate: 'mended',
    what: `set to the creation time of the request, ${logged}`,
  },
  snapshot_metadata_no_object: {
    title: 'snapshots whose metadata is not a JSON object',
    of: 'snapshots',
    fate: 'mended',
    what: `becomes the key \`value\` of an object, ${logged}`,
  },
  // Files of snapshots.
  files_missing: { title: 'snapshots without files', of: 'snapshots', fate: 'kept', what: 'they migrate unchanged' },
  files_too_large: {
    title: 'snapshots whose files are too large to be read here',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged',
  },
  files_no_object_of_strings: {
    title: 'snapshots whose files are not a JSON object of strings',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged; a reader must handle any text',
  },
  files_no_text: {
    title: 'snapshots whose files contain `\\u0000` or an unpaired surrogate',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged; jsonb does not accept them',
  },
  files_duplicate_key: {
    title: 'snapshots whose files have the same path twice',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged; most JSON parsers return only the last one',
  },
  files_unsafe_path: {
    title: 'snapshots whose files have a path that is absolute or contains `..`, a backslash or a drive letter',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged; validate the paths before writing the files to a disk',
  },
} as const satisfies Readonly<Record<string, Kind>>

export type CaseCode = keyof typeof kinds

export const caseCodes = Object.keys(kinds) as CaseCode[]

export type Found = Pick<Case, 'count' | 'examples' | 'sample'>

export type Findings = ReadonlyMap<CaseCode, Found>

export const casesOf = (findings: Findings): Case[] =>
  caseCodes.map((code) => ({ code, ...kinds[code], ...(findings.get(code) ?? { count: 0, examples: [] }) }))
