export { SecretBox } from './box.ts'
export type { PreparedSeal, SecretBoxOptions } from './box.ts'
export type { DataKeyCacheOptions } from './cache.ts'
export type { SecretContext } from './context.ts'
export * as deployment_config from './deployment_config.ts'
export { devKeys } from './dev.ts'
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
export type { KeyProvider } from './keys.ts'
export { kmsKeys } from './kms.ts'
export type { KmsOptions } from './kms.ts'
export { keyIdOf, parseSealedSecret } from './sealed.ts'
export { secretToTokens, tokensToSecret } from './tokens.ts'
export type { TokenSet } from './tokens.ts'
export * as user_secrets from './user_secrets.ts'
export { SecretValue } from './value.ts'
export type { SealedSecret } from '../../types/index.ts'
