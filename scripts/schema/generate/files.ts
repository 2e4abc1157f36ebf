import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { erDiagrams, replaceSection } from './diagram.ts'
import type { TableGroups } from './diagram.ts'
import { fromRoot } from '../../core/paths.ts'
import { appliedVersions, schemaFile } from '../dump/schema-file.ts'

/** A file that is generated from a migrated database or from the sources, and never edited by hand. */
export interface GeneratedFile {
  /** The make target that writes it. */
  readonly name: string
  readonly path: string
  readonly generate: (target: Target, current: string) => Promise<string>
}

/** The diagrams in the README. */
export const tableGroups: TableGroups = {
  'Apps and generations': [
    'apps',
    'generation_requests',
    'generation_events',
    'iteration_snapshots',
    'schema_snapshots',
  ],
  Users: ['user_profiles', 'user_secrets'],
  Costs: ['generation_costs'],
  Platform: ['deployment_config', 'supabase_projects', 'supabase_project_places', 'cleanup_outbox'],
  Audit: ['user_activity_log', 'deployment_config_history'],
}

export const generatedFiles: readonly GeneratedFile[] = [
  { name: 'schema', path: 'db/schema.sql', generate: schemaFile },
  { name: 'version', path: 'db/client/schema-version.ts', generate: (target) => versionFile(target) },
  { name: 'types', path: 'types/db.ts', generate: (target) => typesFile(target) },
  {
    name: 'diagram',
    path: 'README.md',
    generate: async (target, readme) => replaceSection(readme, 'diagram', await erDiagrams(target, tableGroups)),
  },
  // Imported on use: it loads the TypeScript compiler, which the other files do not need.
  { name: 'api', path: 'docs/api.md', generate: async () => (await import('./api/page.ts')).apiPage() },
]

const versionFile = async (target: Target): Promise<string> => `\
// Generated from db/migrations by \`make version\`. Do not edit.

/** The version of the schema that this package was made from: its newest migration. */
export const schemaVersion = '${(await withClient(target, appliedVersions)).at(-1)}'
`

async function typesFile(target: Target): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'leo-types-'))
  try {
    const file = join(folder, 'db.ts')
    await promisify(execFile)(
      process.execPath,
      [
        fromRoot('node_modules', 'kysely-codegen', 'dist', 'cli', 'bin.js'),
        ...['--config-file', fromRoot('.kysely-codegenrc.json'), '--out-file', file],
      ],
      { cwd: folder, env: { ...process.env, DATABASE_URL: target.dbmateUrl } },
    )
    return await readFile(file, 'utf8')
  } finally {
    await rm(folder, { recursive: true })
  }
}

export const readCurrent = (file: GeneratedFile): Promise<string> => readFile(fromRoot(file.path), 'utf8').catch(() => '')
