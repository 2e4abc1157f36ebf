import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import type pg from 'pg'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { fromRoot } from '../../core/paths.ts'

export interface Advice {
  /** Name of the lint as in Supabase's dashboard: `unindexed_foreign_keys`. */
  readonly name: string
  readonly level: string
  readonly object: string
  readonly message: string
}

/** The output of `dblint --reporter=json`. */
interface Report {
  readonly command: 'dblint'
  readonly summary: { readonly skippedDiagnostics: number }
  readonly diagnostics: readonly { readonly category: string; readonly severity: string; readonly message: string }[]
}

const run = promisify(execFile)

/** In a new database every index is unused. */
const excluded = 'unused_index'

/**
 * Runs Supabase's advisors (splinter) on a database: all lints of all levels, except `unused_index`.
 *
 * @throws Failure when they cannot run: the database cannot be reached or lacks Supabase's roles.
 */
export async function adviseDatabase(target: Target): Promise<Advice[]> {
  // Connecting here first reports a connection error at once; the CLI takes ten seconds and does not report the cause.
  const own = await withClient(target, async (client) => {
    await requireApiRoles(client, target)
    return adviseExecutableDefiners(client)
  })
  const advices = [...(await runSplinter(target)), ...own].filter(({ name }) => name !== excluded)
  const key = ({ name, object, message }: Advice) => `${name} ${object} ${message}`
  return advices.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** The CLI silently skips the lints that need one of these roles if it does not exist. */
async function requireApiRoles(client: pg.Client, target: Target): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select name from unnest(array['anon', 'authenticated', 'service_role']) as name
     where not exists (select from pg_roles where rolname = name)`,
  )
  if (rows.length === 0) return
  throw new Failure(
    `${target.label} lacks the Supabase roles ${rows.map(({ name }) => name).join(', ')}`,
    'run db/supabase/roles.sql and db/supabase/auth.sql first',
  )
}

/** Splinter's lints 0028 and 0029, which the copy in the pinned CLI does not have yet. */
async function adviseExecutableDefiners(client: pg.Client): Promise<Advice[]> {
  const { rows } = await client.query<{ role: string; object: string }>(
    `select r.rolname as role, format('public.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) as object
     from pg_proc p, pg_roles r
     where p.prosecdef and p.pronamespace = 'public'::regnamespace
       and r.rolname in ('anon', 'authenticated') and has_function_privilege(r.oid, p.oid, 'execute')`,
  )
  return rows.map(({ role, object }) => ({
    name: `${role}_security_definer_function_executable`,
    level: 'warning',
    object,
    message: `Function \`${object}\` is SECURITY DEFINER, in an exposed schema, and \`${role}\` may execute it`,
  }))
}

async function runSplinter(target: Target): Promise<Advice[]> {
  const cli = fromRoot('node_modules', '@postgres-language-server', 'cli', 'bin', 'postgres-language-server')
  const { stdout, stderr } = await run(
    process.execPath,
    [cli, 'dblint', '--reporter=json', '--max-diagnostics=none'],
    {
      // Nine lints check the exposed schemas, which they read from this setting of the Data API.
      env: { ...process.env, DATABASE_URL: target.dbmateUrl, PGOPTIONS: '-c pgrst.db_schemas=public' },
      maxBuffer: Infinity,
    },
    // It exits with 1 both on advice of level error and on its own failure, so the output is parsed in any case.
  ).catch((error: { stdout: string; stderr: string }) => error)

  return parseReport(stdout, stderr).diagnostics.map(({ category, severity, message }) => {
    // Some lints escape their backquotes.
    const text = message.replaceAll('\\`', '`')
    return { name: snakeCase(category), level: severity, object: firstQuoted(text), message: text }
  })
}

function parseReport(stdout: string, stderr: string): Report {
  if (/Cannot find module|prebuilt binaries/.test(stderr)) {
    throw new Failure(
      `@postgres-language-server/cli is installed without a binary for ${process.platform}-${process.arch}`,
      'run `npm ci` without --omit=optional, or run the checks on Linux, macOS or Windows, x64 or arm64',
    )
  }
  try {
    const report = JSON.parse(stdout) as Report
    if (report.command === 'dblint' && report.summary.skippedDiagnostics === 0) return report
  } catch {
    // The output is not JSON: reported below.
  }
  const message = stderr.replace(/[━×\s]+/g, ' ').trim() || 'no output'
  const remedy = 'run `npx postgres-language-server dblint` to see why'
  throw new Failure(`Supabase's advisors printed no complete report: ${message}`, remedy)
}

/** `splinter/security/rlsDisabledInPublic` → `rls_disabled_in_public`. */
const snakeCase = (category: string): string =>
  category.replace(/^.*\//, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The object comes first in every message: `a.b`, `a`.`b` or "b". */
const firstQuoted = (text: string): string => /[`"]([^`"]+)/.exec(text.replace('`.`', '.'))?.[1] ?? ''
