import type pg from 'pg'

/** Who writes from here on, as the Data API would say it; `none` is the login itself. */
export const become = (
  client: pg.Client,
  role: 'authenticated' | 'service_role' | 'none',
  userId = '',
): Promise<unknown> =>
  client.query(`select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)`, [
    role,
    userId && JSON.stringify({ sub: userId, role }),
  ])
