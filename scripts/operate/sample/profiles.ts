import type pg from 'pg'
import { become } from './become.ts'

interface Profile {
  readonly email: string
  readonly name: string
  /** Request headers as the Data API passes them on; the activity log stores both. */
  readonly headers: Readonly<Record<'user-agent' | 'x-forwarded-for', string>>
  /** Successive patches of the preferences. */
  readonly preferences: readonly object[]
}

const profiles: readonly Profile[] = [
  {
    email: 'ada@example.com',
    name: 'Ada',
    headers: {
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
      'x-forwarded-for': '192.0.2.10',
    },
    preferences: [{ theme: 'dark', editor: { font_size: 14, wrap: true } }, { editor: { font_size: 16 } }],
  },
  {
    email: 'grace@example.com',
    name: 'Grace',
    headers: { 'user-agent': 'leo-cli/1.4.0', 'x-forwarded-for': '2001:db8::20, 198.51.100.7' },
    preferences: [{ notify: { completed: true, failed: true } }, { notify: { completed: null } }],
  },
]

/** Inserts the profiles of two users, each as that user. The third user has no profile, so the defaults apply. */
export async function loadProfiles(client: pg.Client, idOf: (email: string) => string): Promise<void> {
  for (const { email, name, headers, preferences } of profiles) {
    const id = idOf(email)
    await become(client, 'authenticated', id)
    await client.query(`select set_config('request.headers', $1, true)`, [JSON.stringify(headers)])
    await client.query('insert into user_profiles (user_id, display_name) values ($1, $2)', [id, name])
    for (const patch of preferences) {
      await client.query('update user_profiles set preferences = $2 where user_id = $1', [id, patch])
    }
  }
  await client.query(`select set_config('request.headers', '', true)`)
}
