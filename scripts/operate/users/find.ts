import type pg from 'pg'
import { Failure } from '../../core/failure.ts'
import { readUserId } from './tables.ts'

/** How the operator names a user. */
export type NamedUser = { readonly id: string } | { readonly email: string }

/** @throws Failure unless exactly one of the two is given, and is valid. */
export function readUser({ user, email }: { user?: string | undefined; email?: string | undefined }, command: string): NamedUser {
  if (user !== undefined && email !== undefined) throw new Failure('user and email are both given', 'give one of them')
  if (email === undefined) return { id: readUserId(user, command) }
  // Supabase Auth stores addresses in lower case.
  return { email: email.trim().toLowerCase() }
}

/** @throws Failure, which does not repeat the address, when no user or several users have it. */
export async function findUserId(client: pg.Client, named: NamedUser): Promise<string> {
  if ('id' in named) return named.id
  const { rows } = await client.query<{ id: string }>('select id from auth.users where lower(email) = $1 limit 2', [named.email])
  const [first, second] = rows
  if (!first) throw new Failure('no user has this e-mail address', 'correct it, or give user=<uuid>')
  if (second) throw new Failure('several users have this e-mail address', 'give user=<uuid> instead')
  return first.id
}
