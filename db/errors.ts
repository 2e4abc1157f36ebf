/**
 * Every SQLSTATE that the schema raises by itself, by name. The same list stands in `private.error_codes`; the names of
 * constraints, which PostgreSQL reports beside its own codes, are the other half.
 */
export const errorCodes = {
  illegal_status_change: 'LEO01',
  status_change_reserved: 'LEO02',
  retries_used_up: 'LEO03',
  queue_full: 'LEO04',
  too_many_iterations: 'LEO05',
  column_frozen: 'LEO06',
  sealed_value_not_declared: 'LEO07',
  rows_would_be_lost: 'LEO08',
  role_not_as_expected: 'LEO09',
  upgrade_not_ready: 'LEO10',
  wrong_isolation_level: 'LEO11',
  app_not_found: 'LEO14',
  place_not_releasing: 'LEO15',
  claim_out_of_range: 'LEO16',
  unknown_iteration: 'LEO17',
  unknown_app: 'LEO18',
  correction_differs: 'LEO19',
} as const

export type ErrorName = keyof typeof errorCodes

/** Thrown before any query when a text that should be a user's id is none. */
export class InvalidUserIdError extends Error {
  override readonly name = 'InvalidUserIdError'
  readonly code = 'invalid_user_id'
}
