import type { Case } from './report.ts'

type Kind = Omit<Case, 'code' | 'count' | 'examples' | 'sample'>

const quarantined = 'moved whole to private.quarantine'
const logged = 'the original in private.migration_log'

/** In the order in which they are printed. What becomes of each is what db/migrations/…_create_backfill.sql does. */
const kinds = {
  // Of both tables.
  unknown_column: {
    title: 'columns that the schema does not name',
    of: 'columns',
    fate: 'refused',
    what: 'they would stay as they are, readable to whoever may read a row; refused until `make adopt` has recorded them',
  },
  unknown_enum_value: {
    title: 'enum values that the schema does not name',
    of: 'values',
    fate: 'refused',
    what: 'refused, as by `make adopt`, which says how to mend the type',
  },
  zone_unknown: {
    title: 'columns whose times have no zone, on a server that is not in UTC',
    of: 'columns',
    fate: 'refused',
    what: 'refused until the operator names the zone they were written in',
  },
  // Of requests that stay nowhere.
  app_contested: {
    title: 'app ids that several users claim',
    of: 'apps',
    fate: 'question',
    what: `\`make backfill owners=file\` says whose; the other users' requests, without an answer all of them, are ${quarantined}`,
  },
  app_contested_requests: {
    title: 'requests of such an app id',
    of: 'requests',
    fate: 'question',
    what: `those of the owner whom the operator names stay; the rest are ${quarantined}, their snapshots along`,
  },
  app_of_another_user: {
    title: 'requests whose app id is, by now, another user\'s',
    of: 'requests',
    fate: 'quarantined',
    what: quarantined,
  },
  user_id_missing: {
    title: 'requests without user_id',
    of: 'requests',
    fate: 'quarantined',
    what: `${quarantined}; one that may still be worked on, not before old_writers=gone`,
  },
  user_id_unknown: {
    title: 'requests of a user who is not in auth.users',
    of: 'requests',
    fate: 'quarantined',
    what: `${quarantined}, no user is invented; one that may still be worked on, not before old_writers=gone`,
  },
  // Of apps and their names.
  app_id_missing: {
    title: 'requests without app_id',
    of: 'requests',
    fate: 'mended',
    what: 'each gets an app of its own, whose id follows from the request\'s; never merged by name',
  },
  app_name_taken: {
    title: 'apps whose user has an older app of the same name',
    of: 'apps',
    fate: 'mended',
    what: `the oldest keeps the name, the app is called \`name (2)\`, \`name (3)\`…, ${logged}; its requests keep the name`,
  },
  app_names_several: {
    title: 'apps whose requests bear several names',
    of: 'apps',
    fate: 'mended',
    what: 'one app with the latest name that is not blank; each request keeps its own',
  },
  app_name_blank: {
    title: 'requests whose name is null, or has nothing to see in it',
    of: 'requests',
    fate: 'mended',
    what: `\`Untitled app\`, ${logged}`,
  },
  app_name_too_long: {
    title: 'requests whose name is longer than 120 characters',
    of: 'requests',
    fate: 'mended',
    what: 'the name of the app is cut; the request keeps it whole',
  },
  app_name_variant: {
    title: 'apps whose name differs from that of another app of the user only in case or Unicode form',
    of: 'apps',
    fate: 'kept',
    what: 'they stay distinct',
  },
  // Of single values.
  generating_stale: {
    title: 'requests that have been generating without a sign of life for more than a day',
    of: 'requests',
    fate: 'question',
    what: '`make backfill stale_after=interval` pauses those with a snapshot to resume from and fails the others; without it they stay',
  },
  status_missing: {
    title: 'requests without a status',
    of: 'requests',
    fate: 'mended',
    what: `\`completed\` where completed_at is set and no error, else \`failed\`, ${logged}`,
  },
  completed_at_missing: {
    title: 'finished requests without completed_at',
    of: 'requests',
    fate: 'mended',
    what: `set to updated_at, else to created_at, ${logged}`,
  },
  completed_at_unexpected: {
    title: 'unfinished requests with completed_at',
    of: 'requests',
    fate: 'mended',
    what: `the status stands, completed_at is cleared, ${logged}`,
  },
  completed_before_created: {
    title: 'requests completed before they were created',
    of: 'requests',
    fate: 'mended',
    what: `completed_at becomes created_at, ${logged}`,
  },
  iteration_over_limit: {
    title: 'requests whose current_iteration is over max_iterations',
    of: 'requests',
    fate: 'mended',
    what: `what it took, it was allowed: max_iterations is raised, ${logged}`,
  },
  max_iterations_invalid: {
    title: 'requests whose max_iterations is null, zero or negative',
    of: 'requests',
    fate: 'mended',
    what: `set to 10, or to current_iteration where that is more, ${logged}`,
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
    what: `\`new\`, ${logged}`,
  },
  mode_missing: { title: 'requests without mode', of: 'requests', fate: 'mended', what: `\`autonomous\`, ${logged}` },
  prompt_missing: { title: 'requests without prompt', of: 'requests', fate: 'mended', what: `an empty text, ${logged}` },
  created_at_missing: {
    title: 'requests without created_at',
    of: 'requests',
    fate: 'mended',
    what: `updated_at, else completed_at, else the time of the backfill, ${logged}`,
  },
  updated_at_missing: {
    title: 'requests without updated_at',
    of: 'requests',
    fate: 'mended',
    what: `completed_at, else created_at, else the time of the backfill, ${logged}`,
  },
  url_not_https: {
    title: 'requests with an address that https:// or a trim mends',
    of: 'requests',
    fate: 'mended',
    what: `github_url or deployment_url is mended, ${logged}`,
  },
  url_invalid: {
    title: 'requests with an address that cannot be an https one',
    of: 'requests',
    fate: 'mended',
    what: `github_url or deployment_url becomes null, ${logged}`,
  },
  // Of snapshots.
  snapshot_request_missing: {
    title: 'snapshots of a request that does not exist',
    of: 'snapshots',
    fate: 'quarantined',
    what: quarantined,
  },
  snapshot_request_lost: {
    title: 'snapshots of a request that goes to quarantine, or waits for its owner',
    of: 'snapshots',
    fate: 'quarantined',
    what: `${quarantined} along with it`,
  },
  snapshot_iteration_invalid: {
    title: 'snapshots whose iteration_number is null or negative',
    of: 'snapshots',
    fate: 'quarantined',
    what: quarantined,
  },
  snapshot_identical: {
    title: 'snapshots that repeat an earlier one in everything',
    of: 'snapshots',
    fate: 'quarantined',
    what: `the first stays, the others are ${quarantined}`,
  },
  snapshot_iteration_repeated: {
    title: 'snapshots of a request, iteration and type that an earlier one has',
    of: 'snapshots',
    fate: 'kept',
    what: 'all that differ stay',
  },
  snapshot_type_missing: {
    title: 'snapshots without snapshot_type',
    of: 'snapshots',
    fate: 'mended',
    what: `\`automatic\`, ${logged}`,
  },
  snapshot_timestamp_missing: {
    title: 'snapshots without timestamp',
    of: 'snapshots',
    fate: 'mended',
    what: `the time of its request, ${logged}`,
  },
  snapshot_metadata_no_object: {
    title: 'snapshots whose metadata is no object',
    of: 'snapshots',
    fate: 'mended',
    what: `put into one, as \`value\`, ${logged}`,
  },
  // Of the files.
  files_missing: { title: 'snapshots without files', of: 'snapshots', fate: 'kept', what: 'they migrate unchanged' },
  files_too_large: {
    title: 'snapshots whose files are too large to be looked into',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged',
  },
  files_no_object_of_strings: {
    title: 'snapshots whose files are no JSON object of strings',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged; readers must expect any text',
  },
  files_no_text: {
    title: 'snapshots whose files have `\\u0000` or half a surrogate pair',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged; jsonb would refuse them',
  },
  files_duplicate_key: {
    title: 'snapshots whose files name one path twice',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged; most readers see the last one only',
  },
  files_unsafe_path: {
    title: 'snapshots whose files have an absolute path, a `..`, a backslash or a drive',
    of: 'snapshots',
    fate: 'kept',
    what: 'they migrate unchanged; never write them to a disk as they are',
  },
} as const satisfies Readonly<Record<string, Kind>>

export type CaseCode = keyof typeof kinds

export const caseCodes = Object.keys(kinds) as CaseCode[]

export type Found = Pick<Case, 'count' | 'examples' | 'sample'>

export type Findings = ReadonlyMap<CaseCode, Found>

export const casesOf = (findings: Findings): Case[] =>
  caseCodes.map((code) => ({ code, ...kinds[code], ...(findings.get(code) ?? { count: 0, examples: [] }) }))
