import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import process from 'node:process'
import { promisify } from 'node:util'
import t from 'tap'
import { LeoCommand, settings } from '../../scripts/core/command.ts'
import { isConfirmed, isConfirmedOrLocal } from '../../scripts/core/confirm.ts'
import { readMakeVariables, shellWord } from '../../scripts/core/make-variables.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { parseDatabaseUrl } from '../../scripts/core/target.ts'
import { runLeo } from '../fixtures/command.ts'
import type { CommandResult } from '../fixtures/command.ts'

// It starts some twenty processes.
t.setTimeout(600_000)

const nowhere = { target: parseDatabaseUrl('postgres://postgres:x@127.0.0.1:1/nowhere') }

const files = (await readdir(fromRoot('scripts', 'commands'))).map((file) => file.replace(/\.ts$/, ''))
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
const commands = new Map<string, LeoCommand>()
for (const name of files) {
  const { command } = (await import(new URL(`../../scripts/commands/${name}${extension}`, import.meta.url).href)) as { command: LeoCommand }
  commands.set(name, command)
}

/** A command line as a user types it. */
function make(...args: string[]): Promise<CommandResult> {
  const env = { ...process.env, NODE_OPTIONS: '', MAKEFLAGS: '', DATABASE_URL: nowhere.target.dbmateUrl }
  return promisify(execFile)('make', args, { cwd: fromRoot(), env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: CommandResult) => error,
  )
}

t.test('every command declares its options, and accepts its own example', async (t) => {
  const makefile = await readFile(fromRoot('Makefile'), 'utf8')
  for (const [name, command] of commands) {
    t.type(command, LeoCommand)
    t.equal(command.name(), name)
    t.match(command.description(), /^[A-Z].{10,}/)
    for (const option of command.options) t.ok(option.description, `${name} --${option.name()}`)
    const help = command.helpInformation()
    t.match(help, `Usage: ${name}`)
    const before = { ...process.env }
    const variables = command.example.split(' ').slice(1).map((word): [string, string] => [word.split('=')[0]!, word.replace(/^.*?=/, '')])
    const given = command.acceptVariables(new Map(variables))
    t.equal(given.length, variables.filter(([key]) => !(key in settings)).length, name)
    for (const setting of Object.keys(settings)) {
      if (before[setting] === undefined) delete process.env[setting]
      else process.env[setting] = before[setting]
    }
    t.match(makefile, new RegExp(`^${name}: .* ## `, 'm'), 'a target of make')
  }
})

t.test('leo --help lists every command, and --help shows options, an example and exit codes without running', async (t) => {
  const [all, one, alike] = await Promise.all([
    runLeo(nowhere, '--help', []),
    runLeo(nowhere, 'erase-user', ['--help']),
    runLeo(nowhere, 'help', ['erase-user']),
  ])
  t.equal(all.code, 0, all.stderr)
  for (const name of files) t.match(all.stdout, new RegExp(`^ {2}${name}\\b`, 'm'))
  t.match(all.stdout, 'make reports every failure as 2')
  t.match(one, { code: 0, stderr: '', stdout: /--email.*CONFIRM.*make erase-user email=.*Exit codes:\n {2}0 /s })
  t.equal(alike.stdout, one.stdout)
})

t.test('an unknown command, option, argument or an invalid value is refused in one line', async (t) => {
  const refused: readonly [name: string, args: readonly string[], code: number, stderr: RegExp][] = [
    ['migrat', [], 1, /^error: unknown command migrat — /],
    ['migrate', ['--dry'], 1, /^error: unknown option --dry — /],
    ['diff', ['--htlm=x'], 2, /^error: unknown option --htlm=x — Did you mean --html\?/],
    ['status', ['extra'], 1, /^error: too many arguments/],
    ['rotate-keys', ['--rate=0'], 1, /^error: --rate=0 is invalid — .*1 to 10000/],
    ['diff', ['--fail-on=x'], 2, /^error: --fail-on=x is invalid — .*additive, care, breaking, destructive/],
    ['put-back', ['--table=apps', '--id=1'], 1, /^error: --table=apps is invalid — only rows of generation_requests and iteration_snapshots/],
    ['put-back', ['--table=generation_requests'], 1, /^error: --id is missing — .*--id=42/],
    ['generate', ['nonsense'], 1, /^error: nonsense is invalid — .*schema, version/],
    ['preflight', ['--jsn'], 2, /^error: unknown option --jsn/],
    ['export-user', ['--user=x', '--email=a@example.com'], 1, /^error: user and email are both given/],
  ]
  await Promise.all(
    refused.map(async ([name, args, code, stderr]) => {
      const ended = await runLeo(nowhere, name, args)
      t.match(ended, { code, stdout: '', stderr }, `${name} ${args.join(' ')}`)
      t.match(ended.stderr, /^.+\n$/, 'one line')
    }),
  )
})

t.test('make passes its variables on unchanged, and an unknown one is refused', async (t) => {
  const name = `it's "a" $b $(shell echo c) = \\ü\t-- d=1`
  const [nasty, unknown, flag, off, setting] = await Promise.all([
    make('new', `name=${name}`),
    make('migrate', 'dry=1'),
    make('status', 'json=maybe'),
    make('diff', 'json=0', 'html=', 'BASE=no such base'),
    make('status', 'DATABASE_URL=postgres://u:p$a$$b@127.0.0.1:1/given'),
  ])
  t.match(nasty.stderr, `error: "${name.replace('\t', ' ')}" is not a name for a migration`)
  t.match(unknown, { code: 2, stdout: '', stderr: /^error: unknown option dry — make migrate takes / })
  t.match(flag.stderr, /^error: json=maybe is invalid — write json=1 or json=0/)
  t.match(off, { stdout: '', stderr: /^error: there is no commit no such base/ })
  t.match(setting.stderr, 'u@127.0.0.1:1/given')
})

t.test('MAKEFLAGS is read as GNU make writes it', (t) => {
  const variables = (text: string) => Object.fromEntries(readMakeVariables(text))
  t.strictSame(variables(''), {})
  t.strictSame(variables(' -j2 --jobserver-auth=3,4 --no-print-directory'), {})
  t.strictSame(variables('s --no-print-directory -- y:=2 x=a\\ b$$c\\ "d"\\ =\\ \\\\\\ --\\ q=1\\\ttab'), {
    x: 'a b$c "d" = \\ -- q=1\ttab',
    y: '2',
  })
  t.strictSame(variables('-- x=a\nb empty='), { x: 'a\nb', empty: '' })
  t.equal(shellWord('a=b'), 'a=b')
  t.equal(shellWord(`it's $b`), `'it'\\''s $b'`)
  t.end()
})

t.test('another value of CONFIRM than the expected one is refused', (t) => {
  const before = process.env['CONFIRM']
  t.teardown(() => (before === undefined ? delete process.env['CONFIRM'] : (process.env['CONFIRM'] = before)))
  const remote = { database: 'leo', isLocal: false } as const
  delete process.env['CONFIRM']
  t.notOk(isConfirmed('leo'))
  t.notOk(isConfirmedOrLocal({ ...nowhere.target, ...remote }))
  t.ok(isConfirmedOrLocal({ ...nowhere.target, isLocal: true }))
  process.env['CONFIRM'] = 'leo'
  t.ok(isConfirmedOrLocal({ ...nowhere.target, ...remote }))
  process.env['CONFIRM'] = 'yes\u001b'
  const mismatch = { name: 'Failure', message: /^CONFIRM is yes , but leo is expected/ }
  t.throws(() => isConfirmed('leo'), mismatch)
  t.throws(() => isConfirmedOrLocal({ ...nowhere.target, database: 'leo', isLocal: true }), mismatch, 'also where none is needed')
  t.end()
})
