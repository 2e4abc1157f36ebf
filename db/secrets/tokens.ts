import { MalformedSecretError } from './errors.ts'
import { SecretValue } from './crypto/value.ts'

/** The tokens that a provider grants, with the names of OAuth. They are sealed and replaced together. */
export interface TokenSet {
  readonly access_token: SecretValue
  /** Absent if the provider granted none. */
  readonly refresh_token?: SecretValue
  /** As the provider sends it, usually separated by spaces. */
  readonly scope?: string
  readonly token_type?: string
  /** When the access token expires; absent if it does not expire. */
  readonly expires_at?: Date
}

/**
 * Encodes a set of tokens as one secret. For services.
 *
 * @returns the secret to seal.
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
 * Decodes the set of tokens in an opened secret. For services.
 *
 * @returns the tokens; members that the provider did not grant are absent.
 * @throws {MalformedSecretError} `secret_malformed`: the secret is not a set of tokens.
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
    // The error is dropped, because it quotes the beginning of the text.
  }
  throw malformed()
}

function text(field: unknown): string | undefined {
  if (field === undefined || typeof field === 'string') return field
  throw malformed()
}

const malformed = (): MalformedSecretError =>
  new MalformedSecretError('an opened secret is not a set of tokens: connect the provider again')
