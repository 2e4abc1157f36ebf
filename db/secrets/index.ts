export { SecretBox } from './secret-box.ts'
export type { PreparedSeal, SecretBoxOptions } from './secret-box.ts'
export type { DataKeyCacheOptions } from './crypto/cache.ts'
export type { SecretContext } from './crypto/context.ts'
export * as deployment_config from './deployment_config.ts'
export { devKeys } from './keys/dev.ts'
export {
  InsecureInProductionError,
  InvalidSecretUseError,
  KeyAccessDeniedError,
  KeyNotAcceptedError,
  KeyServiceUnavailableError,
  KeyThrottledError,
  KeyUnusableError,
  MalformedSecretError,
  NotEncryptedError,
  RefreshNotSavedError,
  RefreshRejectedError,
  RefreshTimedOutError,
  SecretError,
  TamperedSecretError,
} from './errors.ts'
export type { KeyProvider } from './keys/key-provider.ts'
export { kmsKeys } from './keys/kms.ts'
export type { KmsOptions } from './keys/kms.ts'
export { keyIdOf, parseSealedSecret } from './crypto/sealed.ts'
export { secretToTokens, tokensToSecret } from './tokens.ts'
export type { TokenSet } from './tokens.ts'
export * as user_secrets from './user_secrets.ts'
export { SecretValue } from './crypto/value.ts'
export type { SealedSecret } from '../../types/index.ts'
