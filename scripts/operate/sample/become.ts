import type pg from 'pg'

/** Sets the role and the claims of the following statements, as the Data API does. `none` is the login role. */
export const become = (
  client: pg.Client,
  role: 'authenticated' | 'service_role' | 'none',
  userId = '',
): Promise<unknown> =>
  client.query(`select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)`, [
    role,
    userId && JSON.stringify({ sub: userId, role }),
  ])
