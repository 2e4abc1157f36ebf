import { MalformedSecretError } from './errors.ts'
import { SecretValue } from './crypto/value.ts'

/** What a provider grants, under OAuth's names. It is sealed, and replaced, as a whole. */
export interface TokenSet {
  readonly access_token: SecretValue
  /** Absent when the provider gave none. */
  readonly refresh_token?: SecretValue
  /** As the provider says it, separated by spaces as a rule. */
  readonly scope?: string
  readonly token_type?: string
  /** When the access token expires; absent if it does not. */
  readonly expires_at?: Date
}

/**
 * Makes the one value that is sealed for a set of tokens. For services.
 *
 * @returns the value, which shows itself nowhere.
 * @example
 * const sealed = await box.seal(context, tokensToSecret({ access_token: new SecretValue(token), scope: 'repo' }))
 */
export function tokensToSecret(tokens: TokenSet): SecretValue {
  const { access_token, refresh_token, scope, token_type, expires_at } = tokens
  return new SecretValue(
    JSON.stringify({
      access_token: access_token.reveal(),
      refresh_token: refresh_token?.reveal(),
      scope,
      token_type,
      expires_at: expires_at?.toISOString(),
    }),
  )
}

/**
 * Reads the set of tokens in an opened secret. For services.
 *
 * @returns the tokens; what the provider did not give is left out.
 * @throws {MalformedSecretError} for a secret that is no set of tokens.
 * @example
 * const { access_token } = secretToTokens(await box.open(context, parseSealedSecret(row.encrypted_token)))
 */
export function secretToTokens(secret: SecretValue): TokenSet {
  const fields = parsed(secret)
  const access = text(fields['access_token'])
  if (access === undefined) throw malformed()
  const refresh = text(fields['refresh_token'])
  const scope = text(fields['scope'])
  const type = text(fields['token_type'])
  const expiry = text(fields['expires_at'])
  const expires_at = expiry === undefined ? undefined : new Date(expiry)
  if (Number.isNaN(expires_at?.getTime())) throw malformed()
  return {
    access_token: new SecretValue(access),
    ...(refresh !== undefined && { refresh_token: new SecretValue(refresh) }),
    ...(scope !== undefined && { scope }),
    ...(type !== undefined && { token_type: type }),
    ...(expires_at !== undefined && { expires_at }),
  }
}

function parsed(secret: SecretValue): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(secret.reveal())
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Not as a cause: the error repeats the beginning of what it could not parse.
  }
  throw malformed()
}

function text(field: unknown): string | undefined {
  if (field === undefined || typeof field === 'string') return field
  throw malformed()
}

const malformed = (): MalformedSecretError =>
  new MalformedSecretError('an opened secret is no set of tokens: connect the provider anew')
