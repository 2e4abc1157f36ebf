import type { MigrationStatus } from '../../migrate/migrator.ts'
import type { VerifyFinding } from './finding.ts'

/** Reports the migrations whose applied state does not match the folder. */
export const examineMigrations = (all: readonly MigrationStatus[]): VerifyFinding[] =>
  all
    .filter(({ state }) => state !== 'applied')
    .map(({ version, name, state }) => ({
      code: `migration_${state.replaceAll(' ', '_')}`,
      object: version,
      what: `${version}_${name} is ${state}`,
      remedy: state === 'pending' ? 'make migrate' : 'make migrate stops and reports what to do',
      isKnown: false,
    }))
