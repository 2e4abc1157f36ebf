import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import type pg from 'pg'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { fromRoot } from '../../core/paths.ts'

export interface Advice {
  /** As Supabase's dashboard names it, `unindexed_foreign_keys`. */
  readonly name: string
  readonly level: string
  readonly object: string
  readonly message: string
}

/** What `dblint --reporter=json` prints. */
interface Report {
  readonly command: 'dblint'
  readonly summary: { readonly skippedDiagnostics: number }
  readonly diagnostics: readonly { readonly category: string; readonly severity: string; readonly message: string }[]
}

const run = promisify(execFile)

/** In a new database nothing has used any index yet. */
const leftOut = 'unused_index'

/**
 * What Supabase's advisors (splinter) say about a database, of every category and level but `unused_index`.
 * @throws Failure when they could not look: the database is out of reach or not laid out like Supabase's.
 */
export async function adviseDatabase(target: Target): Promise<Advice[]> {
  // Connecting ourselves first tells at once what is wrong; the CLI takes ten seconds and does not say.
  const own = await withClient(target, async (client) => {
    await requireApiRoles(client, target)
    return adviseExecutableDefiners(client)
  })
  const advices = [...(await runSplinter(target)), ...own].filter(({ name }) => name !== leftOut)
  const key = ({ name, object, message }: Advice) => `${name} ${object} ${message}`
  return advices.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** Without one of these roles, the lints that ask what it may do are skipped without a word. */
async function requireApiRoles(client: pg.Client, target: Target): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select name from unnest(array['anon', 'authenticated', 'service_role']) as name
     where not exists (select from pg_roles where rolname = name)`,
  )
  if (rows.length === 0) return
  throw new Failure(
    `${target.label} is not laid out like Supabase: no role ${rows.map(({ name }) => name).join(', ')}`,
    'lay db/supabase/roles.sql and auth.sql first',
  )
}

/** Splinter's lints 0028 and 0029, which are younger than the copy inside the pinned CLI. */
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
      // Nine lints are about exposed schemas, and stay silent until this setting, which the Data API makes, names one.
      env: { ...process.env, DATABASE_URL: target.dbmateUrl, PGOPTIONS: '-c pgrst.db_schemas=public' },
      maxBuffer: Infinity,
    },
    // It exits 1 on an advice of level error as on trouble, and 0 on all else: the output tells them apart.
  ).catch((error: { stdout: string; stderr: string }) => error)

  return parseReport(stdout, stderr).diagnostics.map(({ category, severity, message }) => {
    // Half of the lints escape their backquotes.
    const text = message.replaceAll('\\`', '`')
    return { name: snakeCase(category), level: severity, object: firstQuoted(text), message: text }
  })
}

function parseReport(stdout: string, stderr: string): Report {
  if (/Cannot find module|prebuilt binaries/.test(stderr)) {
    throw new Failure(
      `@postgres-language-server/cli has no binary for ${process.platform}-${process.arch} here`,
      'run `npm ci` without --omit=optional, or run the checks on Linux, macOS or Windows, x64 or arm64',
    )
  }
  try {
    const report = JSON.parse(stdout) as Report
    if (report.command === 'dblint' && report.summary.skippedDiagnostics === 0) return report
  } catch {
    // Not JSON: told below.
  }
  const said = stderr.replace(/[━×\s]+/g, ' ').trim() || 'no output'
  throw new Failure(`Supabase's advisors gave no whole report: ${said}`, 'see `npx postgres-language-server dblint`')
}

/** `splinter/security/rlsDisabledInPublic` → `rls_disabled_in_public`. */
const snakeCase = (category: string): string =>
  category.replace(/^.*\//, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The object comes first in every message: `a.b`, `a`.`b` or "b". */
const firstQuoted = (text: string): string => /[`"]([^`"]+)/.exec(text.replace('`.`', '.'))?.[1] ?? ''
