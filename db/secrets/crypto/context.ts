import type { UserId } from '../../../types/index.ts'
import { InvalidSecretUseError } from '../errors.ts'

/**
 * The row that a secret belongs to. KMS and the cipher authenticate it, so that a sealed text cannot be opened for another
 * row. CloudTrail logs it in plain text, so it contains ids and names, never an e-mail address.
 */
export type SecretContext =
  | { readonly table: 'user_secrets'; readonly user_id: UserId; readonly provider: string }
  | { readonly table: 'deployment_config'; readonly key: string }

/** The canonical form of a context: its members ordered by name. */
export type EncryptionContext = Readonly<Record<string, string>>

/** The formats that the constraints of the tables require. */
const forms = {
  user_id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  provider: /^(?=.{1,64}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
  key: /^(?=.{1,128}$)[A-Za-z][A-Za-z0-9_.-]*$/,
} as const

/** @throws {InvalidSecretUseError} `invalid_secret_use`: no row can have these values. */
export function encryptionContext(context: SecretContext): EncryptionContext {
  switch (context.table) {
    case 'user_secrets':
      return {
        provider: matching('provider', context.provider),
        table: context.table,
        user_id: matching('user_id', context.user_id),
      }
    case 'deployment_config':
      return { key: matching('key', context.key), table: context.table }
  }
}

function matching(name: keyof typeof forms, value: string): string {
  if (forms[name].test(value)) return value
  throw new InvalidSecretUseError(`the context of a secret has an invalid ${name}: read it from the row`)
}
