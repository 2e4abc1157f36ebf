import type { UserId } from '../../../types/index.ts'
import { InvalidSecretUseError } from '../errors.ts'

/**
 * Which row a secret belongs to: KMS and the cipher are given it, and a text that was moved to another row does not
 * open. KMS logs it in plain text, so these are ids and names, never an e-mail address.
 */
export type SecretContext =
  | { readonly table: 'user_secrets'; readonly user_id: UserId; readonly provider: string }
  | { readonly table: 'deployment_config'; readonly key: string }

/** One spelling of a context, in the order of its names. */
export type EncryptionContext = Readonly<Record<string, string>>

/** The forms that the tables' constraints ask for. */
const forms = {
  user_id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  provider: /^(?=.{1,64}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
  key: /^(?=.{1,128}$)[A-Za-z][A-Za-z0-9_.-]*$/,
} as const

/** @throws {InvalidSecretUseError} for what no row can have. */
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
  throw new InvalidSecretUseError(`the context of a secret has no valid ${name}: take it from the row`)
}
