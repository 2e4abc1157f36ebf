import type { MigrationStatus } from '../../migrate/migrator.ts'
import type { VerifyFinding } from './finding.ts'

/** Migrations of the folder or the database that are not applied as they are in the folder. */
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
